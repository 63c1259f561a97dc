"""What a Python has, asked in a process of its own: also of a Python that has nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from LiverSegSSLLib.errors import JobError
from LiverSegSSLLib.events import SILENT, Event, Reporter
from LiverSegSSLLib.rounds.equipment import install, look, torch_device

ROOT = Path(__file__).resolve().parents[3]

ASK = """
import json, sys
from LiverSegSSLLib.events import SILENT
from LiverSegSSLLib.rounds.equipment import look
print(json.dumps(look({"modules": {"numpy": "numpy", "skimage": "scikit-image"}}, SILENT)))
"""


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python"


def torch_of(folder: Path, init: str, build: str | None) -> None:
    (folder / "torch").mkdir()
    (folder / "torch" / "__init__.py").write_text(init)
    if build is not None:
        (folder / "torch" / "version.py").write_text(build)


def asked(python: Path, folder: Path) -> dict:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(folder)))}
    done = subprocess.run(
        [str(python), "-c", ASK], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_this_python_has_what_the_tests_run_with():
    found = look({"modules": {"torch": "torch", "skimage": "scikit-image", "nothing_at_all": "nothing"}}, SILENT)
    assert found["missing"] == ["nothing_at_all"] and found["versions"]["nothing"] is None
    assert found["versions"]["scikit-image"] and found["device"]["kind"] in ("cpu", "cuda", "mps")
    assert 0 < found["free_gib"] <= found["memory_gib"] and found["cores"] >= 1
    assert "medsam2" in [weights["name"] for weights in found["weights"]]


def test_a_bare_python_can_be_asked_too(bare_python, tmp_path):
    found = asked(bare_python, tmp_path)
    assert found["missing"] == ["numpy", "skimage"] and set(found["versions"].values()) == {None}
    assert found["device"]["kind"] == "none" and found["weights"] == [] and found["memory_gib"] is None


@pytest.mark.skipif(sys.platform == "darwin", reason="there, any torch may have a GPU")
def test_a_torch_for_the_processor_is_not_imported(bare_python, tmp_path):
    torch_of(tmp_path, "raise SystemExit('imported')", "cuda = None\nhip = None\n")
    assert asked(bare_python, tmp_path)["device"] == {"kind": "cpu", "name": "", "memory_gib": None, "built_for": ""}


def test_a_torch_that_cannot_be_loaded_says_why(bare_python, tmp_path):
    torch_of(tmp_path, "raise OSError('libcudart.so.12: cannot open')", "cuda = '12.8'\n")
    device = asked(bare_python, tmp_path)["device"]
    assert (device["kind"], device["built_for"]) == ("broken", "12.8") and "libcudart" in device["name"]


@pytest.mark.parametrize(
    ("gpu", "expected"), [(True, ("cuda", "NVIDIA H200", 2.0)), (False, ("cpu", "", None))], ids=["GPU", "no driver"]
)
def test_a_torch_for_cuda_is_asked_for_its_gpu(bare_python, tmp_path, gpu, expected):
    init = f"""
from types import SimpleNamespace as Named
card = Named(name="NVIDIA H200", total_memory=2 << 30)
cuda = Named(is_available=lambda: {gpu}, get_device_properties=lambda number: card)
backends = Named(mps=Named(is_available=lambda: False))
"""
    torch_of(tmp_path, init, "cuda = '12.8'\n")
    device = asked(bare_python, tmp_path)["device"]
    assert (device["kind"], device["name"], device["memory_gib"]) == expected and device["built_for"] == "12.8"


def test_an_installation_tells_what_pip_says_and_how_far_it_is(tmp_path):
    said: list[Event] = []
    missing = str(tmp_path / "nothing-1.0-py3-none-any.whl")
    with pytest.raises(JobError, match=r"pip has failed: ERROR: .* the log says more"):
        install({"steps": [["--no-deps", "click"], [missing]]}, Reporter(said.append))
    steps = [event.data["done"] for event in said if event.kind == "progress"]
    lines = [event.message for event in said if event.kind == "log"]
    assert steps == [0, 1] and lines[0] == "pip install --no-deps click"
    assert any("already satisfied" in line for line in lines)


def test_the_device_of_this_computer_is_what_torch_says():
    import torch

    assert (torch_device()["kind"] == "cuda") == torch.cuda.is_available()
