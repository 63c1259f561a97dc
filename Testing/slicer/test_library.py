"""Finding the library beside the module, and saying what is missing instead of failing."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from LiverSegSSLLib.errors import JobError

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "LiverSegSSL"

ASK = """
import json, sys
sys.path.insert(0, {module!r})
import LiverSegSSLPanel
from LiverSegSSLPanel.library import find_library, job_readiness, panel_readiness
panel, jobs = panel_readiness(), job_readiness()
heavy = [name for name in ("numpy", "torch", "SimpleITK", "sqlalchemy", "slicer", "vtk") if name in sys.modules]
print(json.dumps([find_library(), panel.ok, panel.reason, list(panel.packages), jobs.ok, list(jobs.packages), heavy]))
"""


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory):
    """A Python without any package: like Slicer's own before anything has been installed."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python"


def ask(python, module):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [str(python), "-P", "-c", ASK.format(module=str(module))],
        cwd=module,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_in_a_source_tree_the_library_is_found_beside_the_modules_folder(bare_python):
    found, panel, reason, packages, jobs, job_packages, heavy = ask(bare_python, MODULE)
    assert found and not panel and not jobs and heavy == []
    assert reason.endswith("are not installed")
    assert {"pydantic", "SQLAlchemy", "SimpleITK"} <= set(packages) <= set(job_packages)
    assert "torch" in job_packages and "torch" not in packages


def test_installed_the_library_is_found_beside_the_module(bare_python, tmp_path):
    place = tmp_path / "qt-scripted-modules"
    shutil.copytree(MODULE / "LiverSegSSLPanel", place / "LiverSegSSLPanel")
    assert ask(bare_python, place)[:3] == [
        False,
        False,
        "LiverSegSSLLib is missing from this installation: install the extension again",
    ]
    (place / "LiverSegSSLLib").mkdir()
    (place / "LiverSegSSLLib" / "__init__.py").touch()
    assert ask(bare_python, place)[0]


def test_where_all_is_installed_nothing_is_missing_and_nothing_heavy_is_loaded():
    assert ask(sys.executable, MODULE) == [True, True, "", [], True, [], []]


def test_another_python_for_the_jobs_is_asked_what_it_has(bare_python, tmp_path):
    from LiverSegSSLPanel.library import job_readiness

    assert job_readiness(sys.executable).ok
    bare = job_readiness(bare_python)
    assert not bare.ok and "torch" in bare.packages and str(bare_python) in bare.reason
    for nothing in (tmp_path / "nowhere", tmp_path):
        assert job_readiness(nothing).reason == f"{nothing}: is no Python that runs – choose another one"


def test_all_that_the_library_requires_is_asked_for():
    """The table of packages against pyproject.toml, so that none is forgotten."""
    import re
    import tomllib

    from LiverSegSSLPanel.library import JOB_NEEDS

    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.match(r"[A-Za-z0-9._-]+", line)[0].lower() for line in required}
    beneath = {"markupsafe", "pillow"}  # of jinja2 and matplotlib
    assert {name.lower() for name in JOB_NEEDS.values()} == names - beneath


def test_slicers_own_python_is_the_launcher_beside_the_application(tmp_path, monkeypatch):
    """Where Slicer keeps PythonSlicer: Linux and Windows beside the application, on a Mac in a folder of its own."""
    from LiverSegSSLPanel.library import slicer_python

    monkeypatch.setenv("PATH", "")
    for application, launcher in (
        ("Slicer-5.12/bin/SlicerApp-real", "Slicer-5.12/bin/PythonSlicer"),
        ("Slicer-5.13/Slicer", "Slicer-5.13/bin/PythonSlicer"),
        ("Slicer.app/Contents/MacOS/Slicer", "Slicer.app/Contents/bin/PythonSlicer"),
    ):
        place = tmp_path / launcher
        place.parent.mkdir(parents=True, exist_ok=True)
        assert slicer_python(tmp_path / application) == str(tmp_path / application), "there is nothing better"
        place.touch()
        assert slicer_python(tmp_path / application) == str(place)
        assert slicer_python(place) == str(place)
    assert slicer_python() == sys.executable, "a Python is itself"


def test_another_python_does_not_get_slicers_environment(tmp_path, monkeypatch):
    """``PYTHONHOME`` of Slicer's Python makes any other end at once: it gets what Slicer was started from."""
    import slicer
    from LiverSegSSLPanel.jobs import start_job
    from LiverSegSSLPanel.library import JOB_NEEDS, job_readiness, python_environment

    slicer_util = pytest.importorskip("slicer.util")
    before = dict(os.environ)
    monkeypatch.setattr(slicer, "app", object(), raising=False)
    monkeypatch.setattr(slicer_util, "startupEnvironment", lambda: before)
    monkeypatch.setenv("PYTHONHOME", str(tmp_path / "lib" / "Python"))
    assert python_environment(None) is None and python_environment(sys.executable) == before
    assert job_readiness(sys.executable).ok
    module = "LiverSegSSLLib.rounds.equipment"
    found = start_job("look", {"modules": dict(JOB_NEEDS)}, None, sys.executable, module).wait(60)
    assert found["missing"] == []
    with pytest.raises(JobError):
        start_job("look", {"modules": {}}, None, None, module).wait(60)
