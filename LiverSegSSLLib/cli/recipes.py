"""``liversegssl recipes``."""

from __future__ import annotations

import click

from LiverSegSSLLib.cli.show import show_result
from LiverSegSSLLib.resources import resource
from LiverSegSSLLib.rounds.recipe import load_recipe, recipe_names


@click.command(help="List the shipped recipes, or print NAME as YAML, to start one of your own from.")
@click.argument("name", required=False)
def recipes(name: str | None) -> int:
    if name is None:
        rows = [[recipe, load_recipe(recipe).rounds, load_recipe(recipe).description] for recipe in recipe_names()]
        show_result("recipes", {"tables": [{"title": "", "columns": ["Recipe", "Rounds", "What"], "rows": rows}]})
        return 0
    load_recipe(name)
    click.echo(resource("Recipes", f"{name}.yaml").read_text(encoding="utf-8"), nl=False)
    return 0
