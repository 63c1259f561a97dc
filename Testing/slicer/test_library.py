"""Finding the library beside the module, and saying what is missing instead of failing."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
