"""The command line: quick help, kind errors, exit codes."""

import subprocess
import sys
from pathlib import Path

import pytest

from LiverSegSSLLib.cli.main import VERBS, main

HEAVY = ("torch", "SimpleITK", "matplotlib", "nnunetv2", "pandas", "sqlalchemy", "pydantic", "scipy", "numpy")


def test_help_names_every_verb_and_loads_nothing_heavy():
    script = (
        "import sys; from LiverSegSSLLib.cli.main import main; code = main(['--help'])\n"
        f"print('LOADED', [name for name in {HEAVY!r} if name in sys.modules]); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "LOADED []" in done.stdout
    assert all(verb in done.stdout for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb, capsys):
    assert main([verb, "--help"]) == 0
    assert verb in capsys.readouterr().out


def test_a_misspelt_verb_names_the_right_one(capsys):
    assert main(["evalute"]) == 2
    assert "did you mean evaluate" in capsys.readouterr().err


def test_a_misspelt_option_is_bad_input(capsys):
    assert main(["run", "--recpie", "x"]) == 2
    assert "--recpie" in capsys.readouterr().err


def test_recipes_are_listed_and_printed(capsys):
    assert main(["recipes"]) == 0
    assert "default" in capsys.readouterr().out
    assert main(["recipes", "default"]) == 0
    assert capsys.readouterr().out.startswith("#")
    assert main(["recipes", "defualt"]) == 2
    assert "did you mean default" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["inspect", "run", "propose", "train", "predict", "evaluate", "report"])
def test_data_that_are_not_there_are_one_line_and_exit_code_2(verb, tmp_path, capfd):
    missing = tmp_path / "nowhere"
    assert main([verb, str(missing), "--workspace", str(tmp_path / "work")]) == 2
    error = capfd.readouterr().err
    assert "nowhere" in error and "Traceback" not in error


def test_review_before_any_run_says_what_to_do(tmp_path, capsys):
    assert main(["review", str(tmp_path)]) == 2
    assert "run or propose first" in capsys.readouterr().err


def test_a_mistake_in_the_recipe_is_found_before_any_work(tmp_path, capfd):
    recipe = tmp_path / "mine.yaml"
    for text, says in [
        ("name: mine\npropose: [{method: atlsa}]", "did you mean atlas"),
        ("name: mine\npropose: [{method: atlas, options: {nonsense: 1}}]", "nonsense"),
        ("name: mine\npropose: [{method: atlas}]\nscore: {entrpy: {}}", "did you mean entropy"),
        ("name: mine\npropose: [{method: atlas}]\nlearn: {preset: cpuu}", "did you mean cpu"),
    ]:
        recipe.write_text(text)
        assert main(["run", str(tmp_path), "--recipe", str(recipe), "--workspace", str(tmp_path / "w")]) == 2
        assert says in capfd.readouterr().err


def test_the_library_itself_loads_no_torch():
    root = Path(__file__).resolve().parents[3]
    script = "import sys, LiverSegSSLLib, LiverSegSSLLib.volume, LiverSegSSLLib.types; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "False"
