"""A Python of its own that lacks torch, nnU-Net and SAM 2, and a folder from which its pip gets stand-ins of these."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

LACKS = ("torch", "nnunetv2", "sam2")
STAND_INS = {"torch": "2.8.1", "nnunetv2": "2.8.1", "sam2": "1.1.0"}


def make_poor_python(folder: Path, with_pip: bool = True) -> Path:
    """Make the environment; returns its interpreter. What it has besides are links to the packages of this one."""
    home = folder / "poor"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    here = Path(sysconfig.get_path("purelib"))
    links = folder / "packages"
    links.mkdir()
    left_out = (*LACKS, *(() if with_pip else ("pip",)))
    for entry in here.iterdir():
        if not entry.name.lower().startswith((*left_out, "__editable__", "_editable", "_liversegssl")):
            (links / entry.name).symlink_to(entry)
    site = home / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    (site / "links.pth").write_text(f"{links}\n")
    wheels = folder / "wheels"
    wheels.mkdir()
    for name, version in STAND_INS.items():
        _write_wheel(wheels, name, version)
    (home / "pip.conf").write_text(f"[global]\nno-index = true\nfind-links = {wheels}\n")
    return home / "bin" / "python"


def _write_wheel(folder: Path, name: str, version: str) -> None:
    facts = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}/__init__.py", "")
        wheel.writestr(f"{name}/version.py", "cuda = None\n")
        wheel.writestr(f"{facts}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(
            f"{facts}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{facts}/RECORD", "")
