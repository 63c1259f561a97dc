"""``doctor``: what this computer has, and whether a workspace is whole."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from LiverSegSSLLib.events import Reporter
from LiverSegSSLLib.jobs.executors import usable_cores
from LiverSegSSLLib.rounds.checks import Finding, check_workspace
from LiverSegSSLLib.rounds.equipment import installed_version, torch_device
from LiverSegSSLLib.rounds.overview import Table

PACKAGES = ("torch", "nnunetv2", "SimpleITK", "nibabel", "numpy", "scipy", "scikit-image", "SQLAlchemy")


def computer_table() -> Table:
    """Python, packages, device, cores, memory."""
    import psutil

    rows: list[list[Any]] = [["Python", f"{platform.python_version()} ({sys.executable})", ""]]
    for name in PACKAGES:
        version = installed_version(name)
        rows.append([name, version, ""] if version is not None else [name, "missing", f"pip install {name}"])
    rows.append(["Cores", usable_cores(), ""])
    rows.append(["Memory", f"{psutil.virtual_memory().total / 2**30:.0f} GiB", ""])
    rows.append(["Device", *_device()])
    return {"title": "This computer", "columns": ["What", "Found", "To do"], "rows": rows}


def workspace_table(workspace: Path) -> tuple[Table, int]:
    """What was found in a workspace, and repaired; also returns how much of it a person must put right.

    :raises WorkspaceError: the folder is no workspace, or cannot be used.
    """
    findings = check_workspace(workspace)
    return _table(workspace, findings), sum(each.broken for each in findings)


def _table(workspace: Path, findings: Sequence[Finding]) -> Table:
    rows: list[list[Any]] = [
        [each.what, f"{each.found} (repaired)" if each.repaired else each.found, each.to_do] for each in findings
    ]
    free = shutil.disk_usage(workspace).free / 2**30
    rows.append(["Free disk", f"{free:.0f} GiB", "" if free > 5 else "make room: nnU-Net needs some GiB a round"])
    return {"title": str(workspace), "columns": ["What", "Found", "To do"], "rows": rows}


def check(parameters: dict[str, Any], report: Reporter) -> dict[str, Any]:
    """The job of it: ``workspace`` in; what was found as a table, and ``repaired`` and ``broken``, a sentence each."""
    report.progress("check", 0, 0)
    findings = check_workspace(Path(parameters["workspace"]))
    said = {
        kind: [f"{each.what}: {each.found}" for each in findings if getattr(each, kind)]
        for kind in ("repaired", "broken")
    }
    return {"tables": [_table(Path(parameters["workspace"]), findings)], **said}


def _device() -> tuple[str, str]:
    """The best device that torch sees, and what that means."""
    device = torch_device()
    match device["kind"]:
        case "none":
            return "none", "pip install torch"
        case "broken":
            return f"torch cannot be loaded: {device['name']}", "install torch again"
        case "cuda":
            return f"{device['name']}, {device['memory_gib']:.0f} GiB", ""
        case "mps":
            return device["name"], ""
    return "CPU only", "preset cpu trains in minutes; the others want a GPU"
