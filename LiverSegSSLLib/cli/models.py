"""``liversegssl models``: pretrained weights on this computer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from LiverSegSSLLib.cli.show import show_result
from LiverSegSSLLib.models.catalogue import megabytes

if TYPE_CHECKING:
    from LiverSegSSLLib.models.shelf import Place, Shelf


class _Actions(click.Group):
    """Names the right action when one is misspelt."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            from LiverSegSSLLib.spelling import advice

            ctx.fail(f"there is no action {args[0]} – {advice(args[0], self.commands)}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Actions,
    invoke_without_command=True,
    help="""Pretrained weights: get, check and remove them. Nothing is downloaded unless you say fetch.

\b
  models list                    what there is, and what is on this computer
  models list NAME               all about one: source, checksum, licence
  models fetch NAME ...          download; goes on where a cut connection left it
  models import FILE             a file carried here by hand; no network is used
  models verify [NAME ...]       check every byte
  models path NAME               where the file is, for scripts (exit code 2: it is not here)
  models remove NAME ...         take it away
""",
)
@click.option("--folder", type=click.Path(path_type=Path), help="Where weights are kept. [$LIVERSEGSSL_MODELS]")
@click.pass_context
def models(ctx: click.Context, folder: Path | None) -> Any:
    from LiverSegSSLLib.models.shelf import Shelf, default_shelf

    ctx.obj = default_shelf() if folder is None else Shelf(folder)
    if ctx.invoked_subcommand is None:
        return ctx.invoke(list_weights)
    return None


NAMES = click.argument("names", nargs=-1, metavar="NAME ...")


@models.command("list", help="What there is and what is here; with NAME all about it.")
@NAMES
@click.pass_obj
def list_weights(shelf: Shelf, names: tuple[str, ...] = ()) -> int:
    if names:
        for name in names:
            shelf.find(name)
        for place in shelf.listing():
            if place.weights.name in names:
                show_result("models", {"tables": [_details(place)]})
        return 0
    places = shelf.listing()
    columns = ["Weights", "State", "MB", "Licence", "What"]
    rows = [
        [
            place.weights.name,
            place.state,
            f"{place.weights.size_bytes / 1e6:.0f}" if place.weights.size_bytes else "?",
            place.weights.licence.split(";")[0],
            place.weights.what,
        ]
        for place in places
    ]
    problems = [f"{place.weights.name} {place.reason}" for place in places if place.state in ("damaged", "unchecked")]
    show_result(
        "models",
        {
            "tables": [{"title": "", "columns": columns, "rows": rows}],
            "problems": problems,
            "files": {"Kept in": shelf.folder},
        },
    )
    return 0


@models.command(help="Download weights, checksum first; goes on where a cut connection left it.")
@click.argument("names", nargs=-1, required=True, metavar="NAME ...")
@click.pass_obj
def fetch(shelf: Shelf, names: tuple[str, ...]) -> int:
    from LiverSegSSLLib.cli.follow import viewer
    from LiverSegSSLLib.events import Reporter

    for name in names:
        shelf.find(name)  # all are known before the first byte
    view = viewer(as_json=False)
    paths = {}
    try:
        with view:
            for name in names:
                paths[name] = shelf.fetch(name, Reporter(view.show))
    except KeyboardInterrupt:
        click.echo("Stopped. The same command goes on from here.", err=True)
        return 130
    for name, path in paths.items():
        click.echo(f"{name}: {path}")
    return 0


@models.command("import", help="Check a file that was carried here and keep a copy. No network is used.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--as", "name", metavar="NAME", help="What it is. [found out]")
@click.pass_obj
def import_weights(shelf: Shelf, file: Path, name: str | None) -> int:
    weights = shelf.import_file(file, name)
    click.echo(f"{weights.name}: {shelf.path(weights.name)}")
    click.echo(f"Licence: {weights.licence} ({weights.licence_url})", err=True)
    return 0


@models.command(help="Check every byte of the weights on this computer; exit code 1 if any is not as it should be.")
@NAMES
@click.pass_obj
def verify(shelf: Shelf, names: tuple[str, ...]) -> int:
    chosen = names or [place.weights.name for place in shelf.listing() if place.state != "absent"]
    broken = 0
    for name in chosen:
        wrong = shelf.verify(name)
        broken += bool(wrong)
        click.echo(f"{name}: {wrong or 'whole'}")
    if not chosen:
        click.echo("No weights are on this computer.")
    return 1 if broken else 0


@models.command(help="Take weights away, and what is left of a download.")
@click.argument("names", nargs=-1, required=True, metavar="NAME ...")
@click.option("--forget", is_flag=True, help="Also forget the checksum recorded at the first download.")
@click.pass_obj
def remove(shelf: Shelf, names: tuple[str, ...], forget: bool) -> int:
    for name in names:
        shelf.find(name)
    for name in names:
        there = shelf.remove(name, forget=forget)
        click.echo(f"{name}: {'removed' if there else 'was not here'}")
    return 0


@models.command(
    help="Print where the file is, for scripts; exit code 2 and the command that gets it if it is not here."
)
@click.argument("name")
@click.pass_obj
def path(shelf: Shelf, name: str) -> int:
    from LiverSegSSLLib.models.shelf import require_weights

    click.echo(require_weights(name, shelf))
    return 0


def _details(place: Place) -> dict[str, Any]:
    weights = place.weights
    rows = [
        ["What", weights.what],
        ["State", f"{place.state}{': ' + place.reason if place.reason else ''}"],
        ["File", weights.file],
        [
            "Size",
            f"{weights.size_bytes} bytes ({megabytes(weights.size_bytes)})" if weights.size_bytes else "not known",
        ],
        ["SHA-256", weights.checksum_text],
        ["Written down by", weights.recorded],
        ["Source", weights.source or "through a browser only"],
        ["By hand", weights.page],
        ["Licence", weights.licence],
        ["Licence text", weights.licence_url],
        ["Loader", f"{weights.loader}, {weights.variant}"],
        ["Without it", weights.without],
    ]
    return {"title": weights.name, "columns": ["Item", "Found"], "rows": rows}
