"""Installing what is missing: into Slicer, into another Python, declined, failed; and a panel without its packages."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("PySide6")

from Testing.slicer.panels import MODULE, NAME
from Testing.slicer.poor_python import make_poor_python
from Testing.slicer.setting_up import looked, open_setup, own_shelf  # noqa: F401  (a fixture)

ROOT = MODULE.parent

pytestmark = pytest.mark.usefixtures("own_shelf")


@pytest.fixture(scope="module")
def poor_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python without torch and nnU-Net that nothing is installed into."""
    return make_poor_python(tmp_path_factory.mktemp("poor"))


def test_torch_is_left_to_the_extension_and_the_rest_to_slicer(
    host: Any, poor_python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(poor_python))  # Slicer's own Python, before anything was installed
    setup = open_setup(host)
    ui = setup.ui
    assert ui.jobsState.text == "nnunetv2, torch are not installed"
    assert (ui.torchState.text, ui.nnunetState.text) == ("Not installed", "Not installed")
    assert ui.sam2State.text == "Not installed; only few-shot proposals need it"
    assert not ui.sam2InstallButton.enabled and not ui.tryButton.enabled
    host.click(ui.jobsInstallButton)
    assert "by the extension PyTorch" in ui.messageLabel.text and not host.log.pip
    looked(host, setup)

    asked = extension(monkeypatch)
    host.expect("PyTorch will be downloaded", "Cancel")
    host.click(ui.jobsInstallButton)
    assert ui.messageLabel.text == "⚠ Declined: nothing was installed." and not host.log.pip
    looked(host, setup)

    host.expect("PyTorch will be downloaded", "OK")
    host.expect(r"Slicer's own Python\?\n\nnnunetv2>=2.8,<2.9", "Cancel")
    host.click(ui.jobsInstallButton)
    assert ui.messageLabel.text == "⚠ Declined: nothing was installed." and not host.log.pip
    looked(host, setup)
    assert asked == [">=2.6,!=2.9.*"] * 2

    host.pip_outcome("fail")
    host.expect("PyTorch will be downloaded", "OK")
    host.expect(r"nnunetv2>=2.8,<2.9", "OK")
    host.click(ui.jobsInstallButton)
    assert ui.messageLabel.text.startswith("⚠ The installation has failed: Command")
    host.click(ui.copyLogButton)
    assert "nnunetv2" in clipboard() and "CalledProcessError" in clipboard()
    looked(host, setup)

    host.pip_outcome("install")
    host.expect("PyTorch will be downloaded", "OK")
    host.expect(r"nnunetv2>=2.8,<2.9", "OK")
    host.click(ui.jobsInstallButton)
    assert ui.messageLabel.text == "Installed: nnunetv2."
    assert host.log.pip == [("pip_ensure", ["nnunetv2<2.9,>=2.8"])] * 2
    assert not ui.copyLogButton.visible
    looked(host, setup)


def test_slicer_5_10_has_no_packaging(host: Any, poor_python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import slicer

    called = []
    monkeypatch.setattr(sys, "executable", str(poor_python))
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    monkeypatch.setattr(slicer.util, "pip_install", lambda arguments: called.append(arguments))
    setup = open_setup(host)
    extension(monkeypatch)
    host.expect("PyTorch will be downloaded", "OK")
    host.expect("nnunetv2>=2.8,<2.9", "OK")
    host.click(setup.ui.jobsInstallButton)
    (arguments,) = called
    assert arguments[0] == "--constraint" and arguments[2:] == ["nnunetv2>=2.8,<2.9"]
    looked(host, setup)


def test_what_was_in_use_and_replaced_wants_a_restart(
    host: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nibabel
    import numpy as np
    import slicer

    host.load(MODULE / f"{NAME}.py")
    from LiverSegSSLPanel.installing import install_into_slicer

    assert nibabel.__version__ != "99.0"
    kept = []

    def pip_ensure(needed: list[str], constraints: str, **options: Any) -> None:
        kept.extend(Path(constraints).read_text().splitlines())
        facts = tmp_path / "nibabel-99.0.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: nibabel\nVersion: 99.0\n")

    monkeypatch.setattr(slicer.packaging, "pip_ensure", pip_ensure)
    monkeypatch.syspath_prepend(str(tmp_path))
    outcome = install_into_slicer(["nibabel>=5.2"])
    assert outcome.ok and outcome.message == (
        "Installed: nibabel. Restart Slicer before you go on: nibabel was in use and was replaced."
    )
    assert f"numpy=={np.__version__}" in kept, "what Slicer is built on stays"


def test_a_panel_without_its_packages_shows_only_set_up_and_works_after_installing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BARE, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_requirements_are_those_of_pyproject() -> None:
    from LiverSegSSLPanel.installing import requirements

    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert requirements(MODULE / "Resources" / "requirements.txt") == required


def test_sam2_is_installed_as_the_makefile_does_it() -> None:
    from LiverSegSSLPanel.installing import SAM2_STEPS, SAM2_VARIABLES

    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["few-shot"]
    assert SAM2_STEPS[-1] == ("--no-build-isolation", *extra)
    ((name, value),) = SAM2_VARIABLES.items()
    assert f"{name}={value}" in (ROOT / "Makefile").read_text()


@pytest.mark.slow
def test_another_python_gets_what_it_lacks(host: Any, tmp_path: Path) -> None:
    python = make_poor_python(tmp_path)
    setup = open_setup(host)
    ui = setup.ui
    host.click(ui.advancedBox, 8, 8)
    host.expect("another environment", str(python))
    host.click(ui.pythonButton)
    looked(host, setup)
    assert ui.jobsState.text == f"{python}: nnunetv2, torch are not installed" and not ui.tryButton.enabled
    host.expect(rf"Install into {python}\?.*nnunetv2>=2.8,<2.9, torch>=2.6", "Cancel")
    host.click(ui.jobsInstallButton)
    assert ui.messageLabel.text == "⚠ Declined: nothing was installed."
    looked(host, setup)
    host.expect("Install into", "OK")
    host.click(ui.jobsInstallButton)
    assert ui.jobsInstallButton.text == "Cancel"
    host.process(lambda: ui.messageLabel.text == "Installed.", 90)
    looked(host, setup)
    assert ui.torchState.text == "Installed 2.8.1, for the processor alone" and ui.tryButton.enabled
    assert not ui.jobsInstallButton.visible and setup.panel.logic.python == str(python)
    host.expect("built on this computer.*sam2>=1.1,<2", "OK")
    host.click(ui.sam2InstallButton)
    host.process(lambda: ui.sam2State.text == "Installed 1.1.0", 90)
    assert not ui.sam2InstallButton.visible


def test_an_installation_that_fails_leaves_a_log_to_copy(host: Any, tmp_path: Path) -> None:
    python = make_poor_python(tmp_path, with_pip=False)
    setup = open_setup(host)
    host.click(setup.ui.advancedBox, 8, 8)
    host.type(setup.ui.pythonEdit, str(python))
    host.press(setup.ui.pythonEdit, "Return")
    looked(host, setup)
    host.expect("Install into", "OK")
    host.click(setup.ui.jobsInstallButton)
    host.process(lambda: "⚠" in setup.ui.messageLabel.text, 60)
    assert "No module named pip" in setup.ui.messageLabel.text
    host.click(setup.ui.copyLogButton)
    assert "pip install nnunetv2>=2.8,<2.9" in clipboard()
    looked(host, setup)


def extension(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The extension PyTorch as far as it is asked here; returns the versions that were required of it."""
    import slicer

    required = []

    class PyTorchUtilsLogic:
        def installTorch(
            self,
            askConfirmation: bool = False,
            forceComputationBackend: str | None = None,
            torchVersionRequirement: str | None = None,
        ) -> ModuleType | None:
            required.append(torchVersionRequirement)
            agreed = slicer.util.confirmOkCancelDisplay("PyTorch will be downloaded and installed")
            return ModuleType("torch") if agreed else None

    module = ModuleType("PyTorchUtils")
    module.PyTorchUtilsLogic = PyTorchUtilsLogic
    monkeypatch.setitem(sys.modules, "PyTorchUtils", module)
    return required


def clipboard() -> str:
    from PySide6 import QtGui

    return QtGui.QGuiApplication.clipboard().text()


BARE = """
import importlib.abc, sys
from pathlib import Path

LACKING = {"yaml", "click", "filelock", "nibabel", "psutil", "pydantic", "rich", "sqlalchemy"}

class Nothing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        found = None
        for finder in rest:
            if name.partition(".")[0] not in LACKING:
                found = found or finder.find_spec(name, path, target)
        return found

rest = list(sys.meta_path)
sys.meta_path[:] = [Nothing()]
sys.path.insert(0, "LiverSegSSL")
from Testing.host.host import Host
from Testing.slicer.panels import open_module, section

with Host(Path(sys.argv[1])) as host:
    widget = open_module(host)
    (setup,) = widget.sections
    ui = widget.ui
    assert ui.setupButton.enabled
    others = (ui.cohortButton, ui.proposeButton, ui.reviewButton, ui.retrainButton, ui.resultsButton)
    assert not any(button.enabled for button in others)
    assert "pydantic" in ui.cohortButton.toolTip and "SQLAlchemy" in setup.ui.panelState.text
    host.process(lambda: "Installed" in setup.ui.jobsState.text, 60)
    assert not setup.button.collapsed, "not all is well"
    def install(window):
        LACKING.clear()
        next(button for button in window.buttons() if button.text.replace("&", "") == "OK").click()
    host.expect("Slicer's own Python.*pydantic>=2.6", install)
    host.click(setup.ui.panelInstallButton)
    host.process(lambda: len(widget.sections) == 6, 60)
    assert all(button.enabled for button in others) and setup.ui.panelState.text == "Installed"
    assert [what for what, packages in host.log.pip] == ["pip_ensure"]
    host.process(lambda: "Installed" in setup.ui.jobsState.text, 60)
    host.unload("LiverSegSSL")
"""
