"""Set up, as a person goes through it: what is there, another Python, weights, the built-in study."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("PySide6")

from Testing.slicer.panels import MODULE, NAME, section
from Testing.slicer.setting_up import looked, open_setup, own_shelf  # noqa: F401  (a fixture)

pytestmark = pytest.mark.usefixtures("own_shelf")


def test_when_all_is_there_it_says_so_and_folds_itself_once(host: Any) -> None:
    from LiverSegSSLPanel.notices import Notice

    host.load(MODULE / f"{NAME}.py")
    widget = host.open(NAME)
    setup, told = section(widget, "Setup"), []
    widget.panel.listen(Notice.READY, lambda: told.append(widget.panel.readiness.ok))
    ui = setup.ui
    assert not setup.button.collapsed and ui.torchState.text == "Looking …"
    host.process(lambda: setup.button.collapsed, 60)
    assert told == [True]
    assert ui.panelState.text == "Installed" and ui.jobsState.text.startswith("Installed (Python 3.")
    assert re.fullmatch(r"Installed 2\.\S+, for the processor alone", ui.torchState.text)
    assert re.fullmatch(r"Installed 2\.8\.\d+", ui.nnunetState.text)
    assert ui.weightsState.text == "Not on this computer (156 MB)"
    assert re.fullmatch(r"\d+ of \d+ GiB memory free, \d+ cores\. Without a GPU.* 8 minutes .*", ui.computerLabel.text)
    for button in (ui.panelInstallButton, ui.jobsInstallButton, ui.copyLogButton):
        assert not button.visible
    host.click(setup.button)
    host.click(ui.checkButton)
    looked(host, setup)
    assert told == [True, True] and not setup.button.collapsed, "a person who unfolds it is not overruled"
    assert not host.log.pip and not host.popups, "nothing is installed or asked by itself"
    assert "SetupSection" not in host.slowest()[0] or host.slowest()[1] < 100


def test_device_processes_and_python_belong_to_the_computer(host: Any) -> None:
    setup = open_setup(host)
    host.click(setup.ui.advancedBox, 8, 8)
    host.choose(setup.ui.deviceBox, "Graphics card (CUDA)")
    assert setup.ui.computerLabel.text.endswith("choose another device under Advanced.")
    host.choose(setup.ui.deviceBox, "Processor")
    host.type(setup.ui.workersBox, "3")
    logic = setup.panel.logic
    assert (logic.device, logic.workers, logic.python) == ("cpu", 3, None)
    again = host.reload(NAME)
    setup = section(again, "Setup")
    assert (again.logic.device, again.logic.workers, again.logic.python) == ("cpu", 3, None)
    assert (setup.ui.deviceBox.currentText, setup.ui.workersBox.value) == ("Processor", 3)


def test_another_python_that_is_none_is_named(host: Any, tmp_path: Path) -> None:
    setup = open_setup(host)
    host.click(setup.ui.advancedBox, 8, 8)
    for nothing in ("/nowhere/python", "/bin/true", str(tmp_path)):
        host.type(setup.ui.pythonEdit, nothing)
        host.press(setup.ui.pythonEdit, "Return")
        host.process(lambda name=nothing: name in setup.ui.jobsState.text, 60)
        assert "is no Python of version 3.11 or newer that runs – choose another one" in setup.ui.jobsState.text
        assert not setup.panel.readiness.ok and setup.panel.readiness.reason == setup.ui.jobsState.text
        assert not setup.ui.tryButton.enabled and nothing in setup.ui.tryButton.toolTip
    host.type(setup.ui.pythonEdit, "")
    host.press(setup.ui.pythonEdit, "Return")
    looked(host, setup)
    assert setup.panel.readiness.ok and setup.panel.logic.python is None


def test_weights_are_imported_refused_and_removed(host: Any, tmp_path: Path) -> None:
    by_hand = tmp_path / "shelf" / "medsam2" / "MedSAM2_latest.pt"
    by_hand.parent.mkdir(parents=True)
    by_hand.write_bytes(b"no weights")
    setup = open_setup(host)
    ui = setup.ui
    host.click(ui.weightsBox, 8, 8)
    assert ui.weightsCombo.currentText == "medsam2" and "research and education only" in ui.weightsLabel.text
    assert ui.weightsState.text == "Put there by hand and not checked: import the file"
    host.expect(r"File of weights", str(by_hand))
    host.click(ui.importButton)
    host.process(lambda: "⚠" in ui.messageLabel.text, 60)
    assert "MedSAM2_latest.pt" in ui.messageLabel.text
    host.expect("Delete MedSAM2_latest.pt", "OK")
    host.click(ui.removeButton)
    host.process(lambda: ui.messageLabel.text == "The weights were removed.", 60)
    looked(host, setup)
    assert not by_hand.exists() and ui.weightsState.text.startswith("Not on this computer")
    host.expect("Download MedSAM2_latest.pt, 156 MB, from https://huggingface.co/", "Cancel")
    host.click(ui.fetchButton)
    assert not setup.panel.jobs.running, "declined: nothing was asked of the network"


def test_a_download_that_fails_says_what_to_do_instead(host: Any) -> None:
    setup = open_setup(host)
    host.click(setup.ui.weightsBox, 8, 8)
    host.expect("Download MedSAM2_latest.pt", "OK")
    host.click(setup.ui.fetchButton)
    assert setup.ui.fetchButton.text == "Cancel"
    host.process(lambda: "⚠" in setup.ui.messageLabel.text, 60)
    assert "by hand" in setup.ui.messageLabel.text
    assert setup.ui.fetchButton.text == "Download …" and setup.ui.fetchButton.enabled


@pytest.mark.slow
def test_the_built_in_study_is_made_and_named_to_the_cohort(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    setup = open_setup(host)
    monkeypatch.setattr("LiverSegSSLPanel.sample_data.PRESET", "tiny")
    host.click(setup.ui.tryButton)
    assert setup.ui.tryButton.text == "Cancel"
    host.process(lambda: "The built-in study is in" in setup.ui.messageLabel.text, 60)
    data = Path(setup.panel.parameters.cohortFolder)
    assert data == host.folder / "LiverSegSSL built-in study" / "data"
    assert len(list(data.glob("*/Vendor_*/*/GED4.nii.gz"))) == 3
