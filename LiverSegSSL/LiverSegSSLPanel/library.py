"""Finding LiverSegSSLLib and the Python that runs its jobs, and saying in words which packages are missing for it.
Standard library only.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

LIBRARY = "LiverSegSSLLib"

PANEL_NEEDS: Mapping[str, str] = MappingProxyType(
    {
        "numpy": "numpy",
        "scipy": "scipy",
        "yaml": "PyYAML",
        "click": "click",
        "filelock": "filelock",
        "nibabel": "nibabel",
        "psutil": "psutil",
        "pydantic": "pydantic",
        "rich": "rich",
        "SimpleITK": "SimpleITK",
        "sqlalchemy": "SQLAlchemy",
    }
)
"""What Slicer's own Python needs to show a cohort and to review it: import name → name for pip."""

JOB_NEEDS: Mapping[str, str] = MappingProxyType(
    {
        **PANEL_NEEDS,
        "jinja2": "jinja2",
        "matplotlib": "matplotlib",
        "nnunetv2": "nnunetv2",
        "pandas": "pandas",
        "platformdirs": "platformdirs",
        "pooch": "pooch",
        "requests": "requests",
        "skimage": "scikit-image",
        "surface_distance": "surface-distance",
        "torch": "torch",
    }
)
"""What the Python that runs the jobs needs."""

OLDEST_PYTHON = (3, 11)

_ASK_S = 60.0


@dataclass(frozen=True)
class Readiness:
    """Whether something can be used; ``reason`` says in words what is missing, ``packages`` are names for pip."""

    ok: bool
    reason: str = ""
    packages: tuple[str, ...] = ()


def find_library() -> bool:
    """Put the folder of LiverSegSSLLib on ``sys.path`` if it cannot be imported yet; returns whether it can now.

    It lies beside this package where the extension is installed, and beside the module's folder in a source tree.
    """
    if importlib.util.find_spec(LIBRARY) is not None:
        return True
    here = Path(__file__).resolve()
    for folder in here.parents[1:3]:
        if (folder / LIBRARY / "__init__.py").is_file():
            sys.path.append(str(folder))  # last: nothing of Slicer's is to be hidden by it
            return True
    return False


def panel_readiness() -> Readiness:
    """Whether this Python can open and review a cohort. Nothing is imported, so it is quick and cannot fail."""
    if not find_library():
        return Readiness(False, f"{LIBRARY} is missing from this installation: install the extension again")
    return readiness([module for module in PANEL_NEEDS if importlib.util.find_spec(module) is None])


def slicer_python(executable: str | Path | None = None) -> str:
    """The interpreter that Slicer brings, to run something in a process of its own.

    Slicer makes ``sys.executable`` the launcher PythonSlicer, which sets up an environment in which all that Slicer
    has can be imported; where it is the application instead, PythonSlicer lies in the ``bin`` folder beside it.

    :param executable: the program that runs now; ``None``: ``sys.executable``.
    """
    name = "PythonSlicer.exe" if os.name == "nt" else "PythonSlicer"
    running = Path(executable if executable is not None else sys.executable)
    if running.name.lower().startswith("python"):
        return str(running)
    for folder in (running.parent, running.parent / "bin", running.parent.parent / "bin"):  # the last: on a Mac
        if (folder / name).is_file():
            return str(folder / name)
    return shutil.which(name) or str(running)


def python_environment(python: str | Path | None) -> dict[str, str] | None:
    """The variables that a Python is to be started with; ``None``: those of this process.

    Another Python than Slicer's fails where ``PYTHONHOME`` and the library paths are those of Slicer: it gets the
    environment that Slicer was started from.
    """
    if python is None:
        return None
    try:
        from slicer.util import startupEnvironment

        return startupEnvironment()
    except (ImportError, AttributeError):  # not inside the application
        return None


def job_readiness(python: str | Path | None = None) -> Readiness:
    """Whether a Python can run the jobs (training, prediction, proposals).

    :param python: the interpreter; ``None``: this one. Another one is asked in a process of its own (a second or so).
    """
    if python is None:
        return readiness([module for module in JOB_NEEDS if importlib.util.find_spec(module) is None])
    code = (
        "import importlib.util, json, sys; "
        "print(json.dumps([sys.version_info[:2], [m for m in sys.argv[1:] if importlib.util.find_spec(m) is None]]))"
    )
    try:
        answer = subprocess.run(
            [str(python), "-c", code, *JOB_NEEDS],
            capture_output=True,
            text=True,
            timeout=_ASK_S,
            check=False,
            env={**(python_environment(python) or os.environ), "PYTHONSAFEPATH": "1"},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        version, missing = json.loads(answer.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return Readiness(False, f"{python}: is no Python that runs – choose another one")
    if tuple(version) < OLDEST_PYTHON:
        return Readiness(False, f"{python}: is Python {version[0]}.{version[1]} – 3.11 or newer is needed")
    return readiness(missing, f"{python}: ")


def readiness(missing: Sequence[str], where: str = "") -> Readiness:
    """In words, that these modules (names for import) are missing; ``where`` begins the sentence."""
    packages = tuple(JOB_NEEDS[module] for module in missing)
    if not packages:
        return Readiness(True)
    verb = "is" if len(packages) == 1 else "are"
    return Readiness(False, f"{where}{', '.join(packages)} {verb} not installed", packages)
