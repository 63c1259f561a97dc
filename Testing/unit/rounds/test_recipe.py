"""Recipes: the shipped ones load, and a mistake is answered with the right spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from LiverSegSSLLib.cohort.study import Phase
from LiverSegSSLLib.errors import RecipeError
from LiverSegSSLLib.rounds.recipe import load_recipe, parse_recipe, recipe_names

SMALL = "name: mine\npropose: [{method: atlas}]\n"


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_loads_under_its_own_name(name):
    assert load_recipe(name).name == name


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it has no keys"),
        ("- a", "it has no keys"),
        ("name: [", "is not YAML in line 1"),
        ("name: mine", "lacks the key propose"),
        (SMALL + "ronds: 3", "does not know the key ronds – did you mean rounds"),
        (SMALL + "learn: {flods: 3}", "does not know the key learn.flods – did you mean folds"),
        ("name: mine\npropose: [{metod: atlas}]", "does not know the key propose.0.metod – did you mean method"),
        (SMALL + "phases: [GED5]", "phases.0 cannot be 'GED5' – did you mean GED"),
        (SMALL + "rounds: 0", "rounds is wrong"),
        (SMALL + "rounds: many", "rounds is wrong"),
        (SMALL + "select: {keep: 1.5}", "select.keep is wrong"),
        ("name: ../evil\npropose: [{method: atlas}]", "name is wrong"),
        ("name: mine\npropose: [{method: network}]", "the first round has no model yet"),
        ("name: !!python/object/apply:os.system [ls]\npropose: []", "is not YAML"),
    ],
)
def test_a_mistake_is_named_with_what_would_be_right(text, says):
    with pytest.raises(RecipeError, match=r"mine\.yaml") as caught:
        parse_recipe(text, "mine.yaml")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(RecipeError, match="did you mean default"):
        load_recipe("defualt")


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(str(tmp_path / "none.yaml"))


def test_changes_are_put_over_the_file():
    recipe = parse_recipe(SMALL, "x", ["learn.folds=2", "phases=[GED4, T2]", "learn.options.epochs=7"])
    assert recipe.learn.folds == 2 and recipe.learn.options == {"epochs": 7}
    assert recipe.phases == (Phase.GED4, Phase.T2)


@pytest.mark.parametrize("change", ["learn.folds", "=3", "name.deeper=3"])
def test_a_change_that_is_none_is_refused(change):
    with pytest.raises(RecipeError):
        parse_recipe(SMALL, "x", [change])


@given(st.text(max_size=200))
def test_any_text_is_a_recipe_or_one_kind_line(text):
    try:
        parse_recipe(text, "x")
    except RecipeError as error:
        assert "\n" not in str(error)


@given(st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)))
def test_any_value_in_any_place_is_answered(value):
    import yaml

    for key in ("name", "phases", "propose", "score", "learn", "select"):
        try:
            parse_recipe(yaml.safe_dump({"name": "mine", "propose": [{"method": "atlas"}], key: value}), "x")
        except RecipeError as error:
            assert "\n" not in str(error)
