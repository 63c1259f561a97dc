"""Installing packages into Slicer's own Python, once the person has agreed; and what to install."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from LiverSegSSLPanel.library import JOB_NEEDS

REQUESTER = "LiverSegSSL"

SAM2_STEPS = (("setuptools>=70.1",), ("--no-build-isolation", "sam2>=1.1,<2"))
"""Arguments of ``pip install``, a step after the other. SAM 2 is a source package: without build isolation it is built
with the torch that is there, where pip alone would fetch another torch to build it with."""

SAM2_VARIABLES = {"SAM2_BUILD_CUDA": "0"}
"""No compiler is needed then; what is left out are extras that we do not use."""

BROUGHT_BY_SLICER = ("numpy", "scipy", "SimpleITK")
"""Packages that Slicer is built on: they stay as they are, pip fails rather than replace them."""

FAILURES = (subprocess.CalledProcessError, RuntimeError, OSError, ImportError, ValueError)
"""What slicer.packaging and PyTorchUtils raise when they could not install something."""


@dataclass(frozen=True)
class Outcome:
    """How an installation ended, in words; ``log``: what there is to copy into a mail."""

    ok: bool
    message: str
    log: str = ""


def requirements(file: Path, packages: Sequence[str] | None = None) -> list[str]:
    """The lines of a requirements.txt, as ``nibabel>=5.2``.

    :param packages: only those of these names; ``None``: all.
    """
    texts = (line.partition("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines())
    wanted = None if packages is None else {name.lower() for name in packages}
    return [text for text in texts if text and (wanted is None or package_name(text).lower() in wanted)]


def package_name(requirement: str) -> str:
    """``torch`` of ``torch>=2.6,!=2.9.*``."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None, requirement
    return found[0]


def install_into_slicer(needed: Sequence[str]) -> Outcome:
    """Install packages into Slicer's own Python, and wait for it; Slicer shows how far it is. The person has agreed.

    :param needed: requirements, torch not among them.
    """
    before = _loaded_versions()
    try:
        with _constraints() as constraints:
            _install(list(needed), constraints)
    except FAILURES as error:
        return _failed(f"pip install {' '.join(needed)}", error)
    importlib.invalidate_caches()
    after = _loaded_versions()
    replaced = sorted(name for name in before if before[name] != after.get(name))
    done = _("Installed: {packages}.").format(packages=", ".join(map(package_name, needed)))
    if replaced:
        done += " " + _("Restart Slicer before you go on: {packages} was in use and was replaced.").format(
            packages=", ".join(replaced)
        )
    return Outcome(True, done)


def install_torch(requirement: str) -> Outcome:
    """Install torch into Slicer's own Python by the extension PyTorch, which asks the person first."""
    try:
        from PyTorchUtils import PyTorchUtilsLogic
    except ImportError:
        return Outcome(
            False,
            _(
                "torch is installed by the extension PyTorch, which chooses the build that fits the graphics card. "
                "Install that extension in the Extensions Manager, restart Slicer, and come back."
            ),
        )
    name = package_name(requirement)
    try:
        torch = PyTorchUtilsLogic().installTorch(
            askConfirmation=True, torchVersionRequirement=requirement.removeprefix(name)
        )
    except FAILURES as error:
        return _failed(requirement, error)
    importlib.invalidate_caches()
    if torch is None:
        return declined()
    return Outcome(True, _("Installed: {packages}.").format(packages=name))


def declined() -> Outcome:
    """The person did not agree."""
    return Outcome(False, _("Declined: nothing was installed."))


def _install(needed: list[str], constraints: str) -> None:
    try:
        from slicer.packaging import pip_ensure
    except ImportError:  # Slicer 5.10
        slicer.util.pip_install(["--constraint", constraints, *needed])
        return
    pip_ensure(needed, constraints=constraints, prompt_install=False, prompt_restart=False, requester=REQUESTER)


@contextmanager
def _constraints() -> Iterator[str]:
    lines = [f"{name}=={found}\n" for name in BROUGHT_BY_SLICER if (found := _version(name)) is not None]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "constraints.txt"
        file.write_text("".join(lines), encoding="utf-8")
        yield str(file)


def _loaded_versions() -> dict[str, str | None]:
    return {package: _version(package) for module, package in JOB_NEEDS.items() if module in sys.modules}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _failed(what: str, error: Exception) -> Outcome:
    said = getattr(error, "output", None) or ""
    return Outcome(
        False,
        _("The installation has failed: {reason}. What had been installed before stays.").format(reason=error),
        f"{what}\n{type(error).__name__}: {error}\n{said}".strip(),
    )
