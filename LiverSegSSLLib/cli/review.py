"""``liversegssl review``."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from LiverSegSSLLib.cli.options import cohort_options
from LiverSegSSLLib.cli.show import show_result
from LiverSegSSLLib.rounds.places import default_workspace

ACTIONS = ("list", "accept", "reject", "correct", "history")


@click.command(
    help="""What to look at first in DATA, and your verdict on it.

\b
  review DATA                                  the queue, most needed first
  review DATA accept CASE ...                  the label is good: train on it as it is
  review DATA reject CASE ...                  the label is bad: do not train on it
  review DATA correct CASE --mask FILE         use this mask instead; nothing is overwritten
  review DATA history CASE ...                 every version of the label
"""
)
@cohort_options
@click.argument("action", type=click.Choice(ACTIONS), default="list")
@click.argument("cases", nargs=-1)
@click.option("--mask", type=click.Path(path_type=Path), help="The corrected mask, on the image's grid.")
@click.option("--reviewer", default=getpass.getuser, help="Who says so. [your user name]")
@click.option("--comment", default="", help="Kept with the verdict.")
@click.option("--limit", default=20, show_default=True, help="Lines of the queue.")
def review(
    data: Path,
    workspace: Path | None,
    pattern: str | None,
    action: str,
    cases: tuple[str, ...],
    mask: Path | None,
    reviewer: str,
    comment: str,
    limit: int,
) -> int:
    from LiverSegSSLLib.errors import BadInputError
    from LiverSegSSLLib.labels.label import LabelState
    from LiverSegSSLLib.labels.store import LabelStore
    from LiverSegSSLLib.rounds import reviewing
    from LiverSegSSLLib.rounds.overview import queue_table

    place = workspace or default_workspace(data)
    if not place.is_dir():
        raise BadInputError("is not there yet", place, "run or propose first, or name it with --workspace")
    if action != "list" and not cases:
        raise BadInputError(f"name the case to {action}", None, "case ids stand in the queue: review DATA")
    with LabelStore.open(place) as store:
        if action == "list":
            show_result("review", {"tables": [queue_table(store, limit)]})
        elif action == "history":
            columns = ["Round", "Source", "State", "Reviewer", "mL"]
            tables = [
                {"title": case, "columns": columns, "rows": reviewing.history_rows(store, case)} for case in cases
            ]
            show_result("review", {"tables": tables})
        elif action == "correct":
            if mask is None or len(cases) != 1:
                raise BadInputError("takes one case and its mask", "correct", "add --mask FILE")
            from LiverSegSSLLib.cohort.index import open_cohort
            from LiverSegSSLLib.rounds.places import Places

            cohort = open_cohort(data, pattern=pattern, cache=Places(place, "").index)
            reviewing.correct_with_file(store, cohort, cases[0], mask, reviewer, comment=comment)
            click.echo(f"{cases[0]}: corrected")
        else:
            state = LabelState.ACCEPTED if action == "accept" else LabelState.REJECTED
            for case in cases:
                reviewing.give_verdict(store, case, state, reviewer, comment=comment)
                click.echo(f"{case}: {state.value}")
    return 0
