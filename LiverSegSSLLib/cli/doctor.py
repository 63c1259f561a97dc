"""``liversegssl doctor``."""

from __future__ import annotations

from pathlib import Path

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
    if place is None:
        return 0
    if not place.is_dir():
        raise BadInputError("is not there", place, "name the workspace with --workspace")
    table, broken = workspace_table(place)
    show_result("doctor", {"tables": [table]})
    return 1 if broken else 0
