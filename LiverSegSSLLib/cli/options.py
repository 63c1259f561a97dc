"""Arguments and options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from LiverSegSSLLib.errors import CohortError

Command = Callable[..., Any]

DATA = click.argument("data", type=click.Path(path_type=Path, readable=False))
"""(Whether it can be read is asked below, where more can be said of it.)"""


def cohort_options(command: Command) -> Command:
    """DATA and how to read it."""
    for option in (
        click.option("--workspace", type=click.Path(path_type=Path), help="Where all is written. [beside DATA]"),
        click.option("--pattern", help="How flat files are named, e.g. '{study}_{phase}.nii.gz'."),
    ):
        command = option(command)
    return DATA(command)


def job_options(command: Command) -> Command:
    """How a job runs and speaks."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print events as lines of JSON, for programs."),
        click.option("--device", default="auto", show_default=True, help="auto, cuda, mps or cpu."),
        click.option("--executor", default="local", show_default=True, help="local, or dask:ADDRESS."),
        click.option("--workers", type=click.IntRange(0), default=0, help="Local processes. [one a core]"),
    ):
        command = option(command)
    return command


def recipe_options(command: Command) -> Command:
    """Which loop."""
    for option in (
        click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change the recipe."),
        click.option("--recipe", default="default", show_default=True, help="A shipped recipe, or a YAML file."),
    ):
        command = option(command)
    return command


def require_data(data: Path) -> None:
    """Raise unless DATA exists, before a workspace is made beside it."""
    if not data.exists():
        raise CohortError("is not there", data, "give a cohort folder, or a CSV table of the images")
