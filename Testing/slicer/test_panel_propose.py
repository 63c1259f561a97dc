"""Propose, as a person uses it: choose, read what is missing, start, cancel, come back to a saved scene."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("PySide6")

from Testing.slicer.panels import open_cohort, open_module, section, tick

TRANSFER = "Transfer between the phases of a study"
FEW_SHOT = "Few-shot propagation (MedSAM2)"
WAIT_S = 120.0


@pytest.fixture
def opened(host: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """The panel with the small cohort, and its section Propose with the quick method chosen."""
    monkeypatch.setenv("LIVERSEGSSL_MODELS", str(tmp_path / "models"))  # an empty shelf of weights
    widget = open_module(host)
    open_cohort(widget, tmp_path)
    propose = section(widget, "Propose")
    host.process()
    host.choose(propose.ui.methodBox, TRANSFER)
    _looked(host, propose)
    return widget, propose


def test_what_is_missing_stands_in_the_tooltip_line_by_line(
    host: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVERSEGSSL_MODELS", str(tmp_path / "models"))
    widget = open_module(host)
    propose = section(widget, "Propose")
    ui = propose.ui
    assert not ui.proposeButton.enabled and ui.proposeButton.toolTip == "Open a cohort first (section Cohort)."
    open_cohort(widget, tmp_path)
    _looked(host, propose)
    assert ui.proposeButton.enabled, "the default recipe leaves few-shot out where its weights are not"

    host.choose(ui.methodBox, FEW_SHOT)
    wanting = "MedSAM2_latest.pt (medsam2): is not on this computer: download or import it in the section Set up."
    assert _looked(host, propose).startswith(f"{wanting} Without it: registration proposals")
    tick(host, ui.supportsList, "1001-A-S3")
    tick(host, ui.supportsList, "1001-B1-S3")
    tick(host, ui.targetsList, "GED4")
    tick(host, ui.targetsList, "T2")
    lines = _looked(host, propose).splitlines()
    assert lines[:2] == ["Tick a labelled case to propose from.", "Tick a phase to propose for."]
    assert "medsam2" in lines[2] and len(lines) == 3

    host.choose(ui.methodBox, TRANSFER)
    tick(host, ui.supportsList, "1001-A-S3")
    tick(host, ui.targetsList, "T2")
    assert _looked(host, propose).startswith("Make labels") and ui.proposeButton.enabled
    ui.advancedBox.collapsed = False
    host.type(ui.optionsText, "margin=20")
    assert "there is no option 'margin' – did you mean margin_mm?" in _looked(host, propose)
    assert ui.optionsText.toPlainText() == "margin=20", "what is typed stays in the order in which it is typed"
    host.type(ui.optionsText, "margin_mm=12")
    host.type(ui.changesText, "learn.presett=cpu")
    assert "does not know the key learn.presett – did you mean preset?" in _looked(host, propose)
    host.type(ui.changesText, "select.keep=0.5")
    assert _looked(host, propose).startswith("Make labels")
    host.choose(ui.recipeBox, "A file …")
    assert "Choose the file of the recipe." in _looked(host, propose)
    assert widget.panel.parameters.recipe == "default", "the other sections keep the recipe that was chosen before"
    host.choose_folder(ui.recipePath, tmp_path / "none.yaml")
    assert "none.yaml: cannot be read" in _looked(host, propose)
    host.choose_folder(ui.recipePath, tmp_path / "small.yaml")
    assert _looked(host, propose).startswith("Make labels")
    assert widget.panel.parameters.recipe == str(tmp_path / "small.yaml")

    host.choose(ui.methodBox, "A trained model")
    assert "Choose the folder of a model, or train one first (section Retrain)." in _looked(host, propose)
    assert not ui.supportsList.visible and ui.modelPath.visible


def test_labels_are_made_with_progress_and_a_log(host: Any, opened: Any) -> None:
    import slicer
    from LiverSegSSLPanel.notices import Notice

    widget, propose = opened
    ui, told = propose.ui, []
    widget.panel.listen(Notice.LABELS, lambda: told.append([row.state for row in widget.logic.rows(state="proposed")]))
    tick(host, ui.targetsList, "GED4")
    tick(host, ui.supportsList, "1001-B1-S3")
    _looked(host, propose)
    host.click(ui.proposeButton)
    job = propose.view.job
    assert ui.proposeButton.text == "Cancel" and ui.proposeButton.enabled
    assert (job.parameters["targets"], job.parameters["support_cases"]) == (["T2"], ["1001-A-S3__GED4"])
    seen = set()
    host.process(lambda: seen.add(propose.view.ui.stateLabel.text) or ui.messageLabel.text, timeout=WAIT_S)
    assert any("propose 1 (transfer): " in text for text in seen), seen
    assert ui.messageLabel.text.startswith("1 labels were made; ") and told == [["proposed"]]
    assert propose.view.ui.stateLabel.text == "Done."
    propose.view.ui.logBox.collapsed = False
    host.click(propose.view.ui.copyButton)
    assert "proposals kept for training" in slicer.app.clipboard().text()
    assert _looked(host, propose).startswith("Make labels"), "it can be asked for again"


def test_it_can_be_cancelled_and_may_die(host: Any, opened: Any) -> None:
    propose = opened[1]
    button = propose.ui.proposeButton
    host.click(button)
    host.process(lambda: propose.view.job.events, timeout=WAIT_S)
    host.close_scene()
    assert button.text == "Cancel", "the job is the workspace's, not the scene's"
    host.click(button)
    host.process(lambda: button.text == "Propose", timeout=WAIT_S)
    assert propose.view.job.state == "cancelled"
    assert propose.view.ui.stateLabel.text.startswith("propose: was stopped – started again, it goes on")
    assert not propose.ui.messageLabel.visible

    host.choose(propose.ui.methodBox, TRANSFER)
    _looked(host, propose)
    host.click(button)
    job = propose.view.job
    host.process(lambda: any("pid" in event.data for event in job.events), timeout=WAIT_S)
    pid = next(event.data["pid"] for event in job.events if "pid" in event.data)
    os.killpg(pid, signal.SIGKILL)
    host.process(lambda: button.text == "Propose", timeout=WAIT_S)
    assert job.state == "failed" and "ended with code" in propose.view.ui.stateLabel.text
    assert _looked(host, propose).startswith("Make labels")


def test_choices_come_back_with_the_scene(host: Any, opened: Any, tmp_path: Path) -> None:
    import slicer

    widget, propose = opened
    ui = propose.ui
    tick(host, ui.supportsList, "1001-A-S3")
    tick(host, ui.targetsList, "T2")
    ui.advancedBox.collapsed = False
    slicer.app.clipboard().setText("margin_mm=12\nspacing_mm=4")
    host.press(ui.optionsText, "Ctrl+V")
    host.save_scene(tmp_path / "scene.mrb")
    host.close_scene()
    host.process(lambda: propose.form.supports.ticked == ["1001-A-S3__GED4", "1001-B1-S3__GED4"])
    assert ui.methodBox.currentText == "As the recipe says"
    host.load_scene(tmp_path / "scene.mrb")
    host.process(lambda: propose.form.supports.ticked == ["1001-B1-S3__GED4"])
    assert ui.methodBox.currentText == TRANSFER and ui.optionsText.toPlainText() == "margin_mm=12\nspacing_mm=4"
    assert propose.form.wish().options == ("margin_mm=12", "spacing_mm=4")
    assert propose.form.targets.ticked == ["GED4"]

    widget.panel.parameters.proposeSupports = ["gone__GED4", "1001-A-S3__GED4"]
    host.process(lambda: propose.form.supports.ticked == ["1001-A-S3__GED4"])
    widget.panel.parameters.proposeSupports = ["gone__GED4"]
    host.process(lambda: len(propose.form.supports.ticked) == 2)


def test_what_needs_packages_waits_for_them_and_a_second_job_for_the_first(host: Any, opened: Any) -> None:
    from LiverSegSSLPanel.library import Readiness
    from LiverSegSSLPanel.notices import Notice

    widget, propose = opened
    host.process(lambda: not widget.panel.jobs.running, timeout=WAIT_S)  # Set up has looked
    widget.panel.readiness = Readiness(False, "torch is not installed", ("torch",))
    widget.panel.tell(Notice.READY)
    host.process(lambda: propose.ui.proposeButton.toolTip == "torch is not installed (section Set up).", timeout=WAIT_S)
    widget.panel.readiness = Readiness(True)
    widget.panel.tell(Notice.READY)
    _looked(host, propose)
    job = widget.logic.report()
    widget.panel.jobs.watch(job)
    host.process(lambda: "Another job is at work on this cohort" in propose.ui.proposeButton.toolTip)
    assert not propose.ui.proposeButton.enabled
    job.cancel()
    host.process(lambda: propose.ui.proposeButton.enabled, timeout=WAIT_S)


def test_a_training_is_offered_with_what_it_means(host: Any, opened: Any) -> None:
    propose = opened[1]
    host.choose(propose.ui.methodBox, "Train with Cross pseudo supervision (CPS), then predict")
    assert _looked(host, propose).startswith("Make labels")
    assert "Its curves are shown under Retrain." in propose.ui.methodLabel.text
    assert propose.ui.proposeButton.text == "Train, then predict"
    assert not propose.ui.supportsList.visible, "it learns from every label of a person"
    propose.ui.advancedBox.collapsed = False
    host.choose(propose.ui.recipeBox, "cps_stunet")
    assert "stunet-small" in _looked(host, propose), "this recipe begins with weights that are not on the computer"


def _looked(host: Any, propose: Any) -> str:
    """The tooltip once the section has looked whether all is there."""
    host.process()
    host.process(lambda: not propose.busy, timeout=WAIT_S)
    return str(propose.ui.proposeButton.toolTip)
