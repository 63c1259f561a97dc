"""What the Python that runs the jobs has, and getting it what it lacks; as jobs.

Nothing but the standard library is imported at file scope: these verbs run in a Python that has no package yet.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import runpy
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from LiverSegSSLLib.errors import JobError
from LiverSegSSLLib.events import Reporter
from LiverSegSSLLib.jobs.executors import usable_cores

_GIB = 2**30


def look(parameters: dict[str, Any], report: Reporter) -> dict[str, Any]:
    """What is there: of ``modules`` (import name → name for pip) those that are ``missing``, the ``versions`` of the
    others, torch's ``device`` (see :func:`torch_device`), ``cores``, memory in GiB, and the pretrained ``weights``."""
    modules: dict[str, str] = parameters["modules"]
    versions = {package: installed_version(package) for package in modules.values()}
    total, free = _memory()
    return {
        "python": platform.python_version(),
        "executable": sys.executable,
        "missing": [module for module in modules if importlib.util.find_spec(module) is None],
        "versions": versions,
        "device": torch_device(),
        "cores": usable_cores(),
        "memory_gib": total,
        "free_gib": free,
        "weights": _weights(),
    }


def install(parameters: dict[str, Any], report: Reporter) -> dict[str, Any]:
    """Install packages into this Python: ``steps`` are lists of arguments of ``pip install``, run one after the other
    with the environment ``variables``. What pip says becomes the log.

    :raises JobError: pip failed; what came so far stays.
    """
    steps: list[list[str]] = parameters["steps"]
    variables: Mapping[str, str] = parameters.get("variables", {})
    for done, step in enumerate(steps):
        report.progress("install", done, len(steps))
        _pip([*step], variables, report)
    report.progress("install", len(steps), len(steps))
    return {"lines": ["Installed."]}


def fetch_weights(parameters: dict[str, Any], report: Reporter) -> dict[str, Any]:
    """Download the weights ``name``; a download that was cut off goes on."""
    from LiverSegSSLLib.models.shelf import default_shelf

    return {"files": {"Weights": str(default_shelf().fetch(parameters["name"], report))}}


def import_weights(parameters: dict[str, Any], report: Reporter) -> dict[str, Any]:
    """Check a ``file`` that was carried here and keep a copy; what it is, is found out."""
    from LiverSegSSLLib.models.shelf import default_shelf

    weights = default_shelf().import_file(Path(parameters["file"]), report=report)
    return {"name": weights.name, "lines": [f"{weights.name}: {weights.licence}"]}


def remove_weights(parameters: dict[str, Any], report: Reporter) -> dict[str, Any]:
    """Take the weights ``name`` away, and what is left of a download."""
    from LiverSegSSLLib.models.shelf import default_shelf

    return {"removed": default_shelf().remove(parameters["name"])}


def installed_version(package: str) -> str | None:
    """The version of a package as pip knows it; ``None``: it is not there."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def torch_device() -> dict[str, Any]:
    """The best device that torch has: ``kind`` (``none``: no torch, ``broken``, ``cpu``, ``cuda``, ``mps``), its
    ``name``, ``memory_gib`` and the version of CUDA (or ROCm) that torch was ``built_for``.

    A torch that was built for the processor alone is not imported: that takes seconds and can find nothing.
    """
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return {"kind": "none", "name": "", "memory_gib": None, "built_for": ""}
    facts = Path(spec.origin).with_name("version.py")
    build = runpy.run_path(str(facts)) if facts.is_file() else {}
    built_for = str(build.get("cuda") or build.get("hip") or "")
    processor = {"kind": "cpu", "name": "", "memory_gib": None, "built_for": built_for}
    if build and not built_for and sys.platform != "darwin":
        return processor
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a library of the driver's or of CUDA's that does not load
        return {**processor, "kind": "broken", "name": f"{type(error).__name__}: {error}"}
    if torch.cuda.is_available():
        gpu = torch.cuda.get_device_properties(0)
        return {**processor, "kind": "cuda", "name": gpu.name, "memory_gib": gpu.total_memory / _GIB}
    if torch.backends.mps.is_available():
        return {**processor, "kind": "mps", "name": "Apple GPU"}
    return processor


def _pip(arguments: list[str], variables: Mapping[str, str], report: Reporter) -> None:
    # ``-P``: pip does not come from the current folder. For pip alone: packages that it builds count on their own.
    command = [sys.executable, "-P", "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    report.info(f"pip install {' '.join(arguments)}")
    process = subprocess.Popen(
        [*command, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={name: value for name, value in {**os.environ, **variables}.items() if name != "PYTHONSAFEPATH"},
    )
    assert process.stdout is not None
    last = ""
    for line in process.stdout:
        text = line.rstrip()
        if text:
            report.info(text)
            last = text if text.startswith("ERROR") or not last.startswith("ERROR") else last
    if process.wait() != 0:
        raise JobError(f"pip has failed: {last}", " ".join(arguments), "the log says more")


def _memory() -> tuple[float | None, float | None]:
    """Memory of this computer and what of it is free, in GiB; ``None`` where nobody can say."""
    try:
        import psutil
    except ImportError:
        return None, None
    memory = psutil.virtual_memory()
    return memory.total / _GIB, memory.available / _GIB


def _weights() -> list[dict[str, Any]]:
    """The catalogue of weights and the state of each; empty where the packages that read it are missing."""
    try:
        from LiverSegSSLLib.models.shelf import default_shelf

        places = default_shelf().listing()
    except ImportError:
        return []
    return [
        {
            "name": place.weights.name,
            "what": place.weights.what,
            "file": place.weights.file,
            "page": place.weights.page,
            "direct": place.weights.source is not None,
            "size": place.weights.size_text,
            "licence": place.weights.licence,
            "licence_url": place.weights.licence_url,
            "state": place.state,
            "reason": place.reason,
        }
        for place in places
    ]
