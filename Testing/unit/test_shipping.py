"""What ships: every file of the library is listed for CMake, and an installed copy finds its resources."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PROJECT = """
cmake_minimum_required(VERSION 3.20)
project(Probe NONE)
include({root}/Library.cmake)
liversegssl_install_library(${{CMAKE_BINARY_DIR}}/modules modules)
"""


def listed(variable: str) -> list[str]:
    text = (ROOT / "Library.cmake").read_text()
    return re.search(rf"set\({variable}\n(.*?)\n\s*\)", text, re.S)[1].split()


def on_disk(folder: str) -> set[str]:
    files = (path for path in (ROOT / folder).rglob("*") if path.is_file())
    return {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts and path.suffix != ".pyc"}


@pytest.mark.parametrize(
    ("variable", "folder"), [("LIVERSEGSSL_LIBRARY", "LiverSegSSLLib"), ("LIVERSEGSSL_RESOURCES", "Resources")]
)
def test_every_file_is_listed_and_every_listed_file_is_there(variable, folder):
    names = listed(variable)
    assert names == sorted(set(names)), "sort Library.cmake, each file once"
    assert set(names) == on_disk(folder)


@pytest.mark.skipif(shutil.which("cmake") is None, reason="CMake is not installed")
def test_the_installed_library_runs_with_its_resources(tmp_path):
    source, build, place = tmp_path / "source", tmp_path / "build", tmp_path / "place"
    source.mkdir()
    (source / "CMakeLists.txt").write_text(PROJECT.format(root=ROOT.as_posix()))
    subprocess.run(["cmake", "-S", source, "-B", build], check=True, capture_output=True)
    subprocess.run(["cmake", "--install", build, "--prefix", place], check=True, capture_output=True)
    script = (
        "import LiverSegSSLLib, sys; from LiverSegSSLLib.rounds.recipe import load_recipe\n"
        "print(LiverSegSSLLib.__file__); load_recipe('default')"
    )
    for folder in (build / "modules", place / "modules"):
        done = subprocess.run(
            [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{script}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert str(folder) in done.stdout
