"""``liversegssl doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from LiverSegSSLLib.cli.show import show_result
from LiverSegSSLLib.rounds.places import default_workspace


@click.command(help="What this computer has; with DATA or --workspace also whether that workspace is whole.")
@click.argument("data", type=click.Path(path_type=Path), required=False)
@click.option("--workspace", type=click.Path(path_type=Path), help="The workspace. [beside DATA]")
def doctor(data: Path | None, workspace: Path | None) -> int:
    from LiverSegSSLLib.errors import BadInputError
    from LiverSegSSLLib.rounds.checkup import computer_table, workspace_table

    show_result("doctor", {"tables": [computer_table()]})
    place = workspace or (default_workspace(data) if data is not None else None)
    if data is not None and data.exists():
        show_result("doctor", _memory(data, place))
    if place is None:
        return 0
    if not place.is_dir():
        raise BadInputError("is not there", place, "name the workspace with --workspace")
    table, broken = workspace_table(place)
    show_result("doctor", {"tables": [table]})
    return 1 if broken else 0


def _memory(data: Path, place: Path | None) -> dict[str, Any]:
    """What jobs on DATA need; a cohort that cannot be opened has its own word for it."""
    from LiverSegSSLLib.cohort.index import open_cohort
    from LiverSegSSLLib.errors import LiverSegError
    from LiverSegSSLLib.rounds.memory import memory_table
    from LiverSegSSLLib.rounds.places import Places

    # A workspace is not begun here.
    cache = Places(place, "").index if place is not None and place.is_dir() else None
    try:
        return {"tables": [memory_table(open_cohort(data, cache=cache), cache)]}
    except LiverSegError as error:
        return {"lines": [f"Memory for a job: not known, because the cohort cannot be opened ({error})"]}
