"""Files that a user is given: images, recipes, weights, true masks; and modules that lie where a command is given."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from LiverSegSSLLib.errors import BadInputError, LiverSegError, RecipeError
from LiverSegSSLLib.learn.options import load_preset
from LiverSegSSLLib.rounds.recipe import load_recipe, parse_recipe
from LiverSegSSLLib.volume import read_geometry, read_volume
from LiverSegSSLLib.volume.names import IMAGE_SUFFIXES
from Testing.bad_input.conftest import Answer
from Testing.bad_input.place import Place
from Testing.hostile.bombs import CONTENTS, Canary, a_module

Command = Callable[[list[str]], Answer]


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_an_image_with_something_else_inside(suffix: str, tmp_path: Path, canary: Canary) -> None:
    for name, content in CONTENTS.items():
        for packed in (False, True):
            file = tmp_path / f"{name}{packed}{suffix}"
            file.write_bytes(gzip.compress(content(canary)) if packed else content(canary))
            for read in (read_geometry, read_volume):
                with pytest.raises(BadInputError) as caught:
                    read(file)
                assert "\n" not in str(caught.value)


def test_a_cohort_full_of_them(place: Place, canary: Canary, command: Command) -> None:
    """Images, masks, ``info.csv``, true masks, and files of kinds that are not looked at; the rest goes on."""
    study = place.study("P3")
    (study / "GED4.nii.gz").write_bytes(CONTENTS["pickle"](canary))
    (study / "mask_GED4.nii.gz").write_bytes(CONTENTS["checkpoint"](canary))
    for name in ("T1.npy", "T2.npz", "T1.pkl", "DWI.pth", "conftest.py", "sitecustomize.py", "T1.nii.gz.py"):
        text = a_module(canary).encode() if name.endswith(".py") else CONTENTS["array"](canary)
        (study / name).write_bytes(text)
    (place.data / "info.csv").write_bytes(CONTENTS["pickle"](canary))
    place.file("truth/P1__T1.nii.gz", CONTENTS["pickle"](canary))
    place.file("truth/P2__T1.nii.gz", CONTENTS["arrays"](canary))
    answer = command(["propose", str(place.data), "--method", "transfer"])
    assert answer.code == 0 and "Traceback" not in answer.text and "unexpected" not in answer.text, answer.text
    answer = command(["evaluate", str(place.data), "--truth", str(place.root / "truth")])
    assert "Traceback" not in answer.text and "unexpected" not in answer.text, answer.text


@pytest.mark.parametrize("name", CONTENTS)
def test_weights_that_are_imported(name: str, tmp_path: Path, canary: Canary, command: Command) -> None:
    for end in ("pt", "safetensors", "model", "zip", "pkl"):
        file = tmp_path / f"medsam2.{end}"
        file.write_bytes(CONTENTS[name](canary))
        answer = command(["models", "--folder", str(tmp_path / "shelf"), "import", str(file)])
        assert answer.code == 2, answer.text
        assert re.search("is not a checkpoint that can be trusted", answer.text), answer.text
    assert not list((tmp_path / "shelf").glob("*/*.pt"))


TAGS = (
    "!!python/object/apply:os.makedirs [{canary}]",
    "!!python/object/new:os.makedirs [{canary}]",
    "!!python/name:os.system",
    "!!python/module:os",
    "!!python/object:Testing.hostile.bombs.Bomb {{canary: x}}",
    "!include {canary}",
    "!ENV {canary}",
)


@pytest.mark.parametrize("tag", TAGS)
def test_a_recipe_makes_no_objects(tag: str, canary: Canary) -> None:
    value = tag.format(canary=canary.path)
    for text in (f"name: {value}\npropose: []", f"{value}", f"name: x\npropose: []\nscore: {{a: {value}}}"):
        with pytest.raises(RecipeError, match="is not YAML"):
            parse_recipe(text, "mine.yaml")
    with pytest.raises(RecipeError, match="is not YAML"):
        load_recipe("default", [f"seed={value}"])


@pytest.mark.parametrize(
    "name", ["../x", "/x", "a/b", "..", ".", "a\\b", "C:x", "-x", "x\n", "x\ny", "\u2024\u2024/x", "x" * 61, ""]
)
def test_a_recipe_names_no_folder_elsewhere(name: str) -> None:
    import json

    with pytest.raises(RecipeError, match="name is wrong"):
        parse_recipe(f"name: {json.dumps(name)}\npropose: []", "mine.yaml")


@pytest.mark.parametrize("name", ["../Recipes/default", "/etc/passwd", "default.yaml/../default", "..\\default"])
def test_a_preset_and_a_network_are_names_and_no_paths(name: str) -> None:
    with pytest.raises(RecipeError, match="is not a training preset"):
        load_preset(name)
    with pytest.raises(RecipeError, match="is not a network"):
        load_preset("cpu", network=name)
    with pytest.raises(LiverSegError):
        load_recipe(name)


def test_what_a_recipe_gives_to_nnunet_are_numbers(tmp_path: Path) -> None:
    """Its options go into plans, where names of classes stand beside them."""
    for options in (
        {"configuration": {"network_class_name": "os.system"}},
        {"planner": "os"},
        {"trainer": "os"},
        {"network": {"kind": "os.system", "features_per_stage": [4, 8], "blocks_per_stage": [1, 1]}},
        {"architecture": {"network_class_name": "os.system"}},
        {"inference": {"networks": ["x"]}},
    ):
        try:
            preset = load_preset("default", options)
        except RecipeError:
            continue
        from LiverSegSSLLib.learn.planned import with_geometry

        with pytest.raises(RecipeError, match="has no 'network_class_name' to change"):
            with_geometry({"configurations": {"3d_fullres": {}}, "transpose_forward": [0, 1, 2]}, preset.configuration)


HIDERS = (
    "torch",
    "numpy",
    "json",
    "multiprocessing",
    "LiverSegSSLLib",
    "sitecustomize",
    "usercustomize",
    "yaml",
    "site",
)


@pytest.mark.slow
def test_modules_in_the_folder_in_which_a_command_is_given(place: Place, canary: Canary) -> None:
    """``cd`` into a folder of somebody's images, then ``liversegssl propose .``: jobs and their workers are started as
    ``python -m``, which looks for modules there first unless it is told not to."""
    for folder in (place.data, place.data / "P1"):
        for name in HIDERS:
            (folder / f"{name}.py").write_text(a_module(canary))
    package = place.data / "LiverSegSSLLib"
    package.mkdir()
    (package / "__init__.py").write_text(a_module(canary))
    program = Path(sys.executable).with_name("liversegssl")
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    done = subprocess.run(
        [str(program), "propose", ".", "--method", "transfer", "--workers", "2", "--workspace", str(place.workspace)],
        cwd=place.data,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not canary.sang


def test_names_in_a_report_are_text(place: Place, command: Command) -> None:
    """Names of vendors and files come from others; a report is opened in a browser."""
    script = "<script>alert(1)</script>"
    rows = [f"P{n},GED4,data/P{n}/GED4.nii.gz,data/P{n}/mask_GED4.nii.gz,{script}" for n in (1, 2)]
    rows.append(f"P1,T1,data/P1/T1.nii.gz,,{script}")
    table = place.file("table.csv", "study,phase,image,label,vendor\n" + "\n".join(rows) + "\n")
    more = ["--workspace", str(place.root / "workspace")]
    assert command(["propose", str(table), "--method", "transfer", *more]).code == 0
    answer = command(["report", str(table), *more])
    assert answer.code == 0, answer.text
    page = (place.root / "workspace/runs/default/report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page and "alert(1)" in page
