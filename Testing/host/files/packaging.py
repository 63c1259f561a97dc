"""`slicer.packaging`: nothing is installed; what is asked for is kept, and the test says how it ends."""

import importlib.metadata
import subprocess
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

CALLS: list[tuple[str, list[str]]] = []
# "install" (as if it worked), "decline" (the person says no), "fail" (pip ends with an error)
OUTCOME = ["install"]


def load_requirements(path: Any) -> list[Requirement]:
    lines = (line.partition("#")[0].strip() for line in Path(path).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def pip_check(requirements: Any) -> bool:
    """Whether the requirements are met in this Python."""
    for requirement in _as_list(requirements):
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            return False
        if not requirement.specifier.contains(version, prereleases=True):
            return False
    return True


def isPipInstallInProgress() -> bool:
    return False


def pip_ensure(
    requirements: Any,
    constraints: Any = None,
    skip_packages: Any = None,
    prompt_install: bool = True,
    prompt_restart: bool = True,
    requester: str | None = None,
    skip_in_testing: bool = True,
    show_progress: bool = True,
) -> list[str]:
    _record("pip_ensure", requirements, prompt_install)
    return []


def pip_install(
    requirements: Any,
    constraints: Any = None,
    no_deps_requirements: Any = None,
    skip_packages: Any = None,
    blocking: bool = True,
    show_progress: bool = True,
    requester: str | None = None,
    parent: Any = None,
    logCallback: Any = None,
    completedCallback: Any = None,
) -> list[str]:
    _record("pip_install", requirements, False)
    if completedCallback is not None:
        completedCallback(0)
    return []


def pip_uninstall(requirements: Any, **kwargs: Any) -> None:
    _record("pip_uninstall", requirements, False)


def _record(what: str, requirements: Any, asks: bool) -> None:
    CALLS.append((what, [str(one) for one in _as_list(requirements)]))
    if OUTCOME[-1] == "decline" and asks:
        raise RuntimeError("The user declined the installation")
    if OUTCOME[-1] == "fail":
        raise subprocess.CalledProcessError(1, ["pip", "install"])


def _as_list(requirements: Any) -> list[Requirement]:
    if isinstance(requirements, str):
        requirements = requirements.split()
    if isinstance(requirements, Requirement):
        requirements = [requirements]
    return [one if isinstance(one, Requirement) else Requirement(one) for one in requirements]
