"""``liversegssl inspect``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from LiverSegSSLLib.cli.follow import run_job
from LiverSegSSLLib.cli.options import cohort_options, require_data
from LiverSegSSLLib.cli.show import show_result
from LiverSegSSLLib.rounds.places import default_workspace


@click.command(help="What DATA holds: studies, phases, vendors, labels, and what is wrong. Writes nothing into it.")
@cohort_options
@click.option("--json", "as_json", is_flag=True, help="Print events as lines of JSON, for programs.")
def inspect(data: Path, workspace: Path | None, pattern: str | None, as_json: bool) -> int:
    require_data(data)
    parameters: dict[str, Any] = {"data": str(data.absolute())}
    parameters["workspace"] = str((workspace or default_workspace(data)).absolute())
    if pattern is not None:
        parameters["pattern"] = pattern
    code, result = run_job("inspect", parameters, None, as_json)
    if result and not as_json:
        show_result("inspect", result)
    return code
