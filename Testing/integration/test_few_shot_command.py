"""``liversegssl propose --method few-shot`` in a process of its own, with the small network: a test, no evidence."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from LiverSegSSLLib.cohort.study import Phase
from LiverSegSSLLib.events import Reporter
from LiverSegSSLLib.labels.label import Label, LabelState
from LiverSegSSLLib.labels.store import LabelStore
from LiverSegSSLLib.overlap import dice
from LiverSegSSLLib.rounds import verbs
from LiverSegSSLLib.volume import read_geometry, read_mask
from Testing.integration.loop_cohort import write_small_cohort

pytestmark = pytest.mark.timeout(600)

WEIGHTS = Path(__file__).resolve().parents[1] / "few_shot" / "small_phantom_sam2.pt"
LEAST_DICE = 0.8
"""The spleen, the whole body or a liver moved by a third of its width are all below 0.7."""


class Command:
    """The command line on one cohort and workspace; no weights of this computer's user are seen."""

    def __init__(self, folder: Path) -> None:
        self.data, self.truth, _ = write_small_cohort(folder, (Phase.GED4,))
        self.workspace = folder / "workspace"
        self.environment = {**os.environ, "LIVERSEGSSL_MODELS": str(folder / "models"), "OMP_WAIT_POLICY": "PASSIVE"}
        self.support = sorted(path.parent.name for path in self.data.rglob("mask_GED4.nii.gz"))[0] + "__GED4"

    def __call__(self, *arguments: str, verb: str = "propose") -> subprocess.CompletedProcess[str]:
        called = [sys.executable, "-m", "LiverSegSSLLib.cli.main", verb, str(self.data), *arguments]
        called += ["--workspace", str(self.workspace), *(() if verb == "review" else ("--device", "cpu"))]
        return subprocess.run(called, env=self.environment, capture_output=True, text=True, check=False)

    def few_shot(self) -> subprocess.CompletedProcess[str]:
        """From one support, with the small network, inserted at one place."""
        how = ("--support", self.support, "--workers", "1")
        return self("--method", "few-shot", *how, "--option", f"weights={WEIGHTS}", "--option", "insertions=1")

    def labels(self) -> list[Label]:
        with LabelStore.open(self.workspace) as store:
            return store.labels(source="few-shot")


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    return Command(tmp_path_factory.mktemp("cohort"))


@pytest.fixture(scope="module")
def called(command):
    return command.few_shot()


def test_the_other_patients_livers_are_found_from_one_support(command, called):
    assert called.returncode == 0, called.stderr
    assert "Traceback" not in called.stderr
    labels = command.labels()
    assert len(labels) == 2, "two of four studies came without a mask"
    with LabelStore.open(command.workspace) as store:
        parent = store.current(command.support)
        assert parent.state == LabelState.EXPERT
        for label in labels:
            assert (label.state, label.round, label.parents) == (LabelState.PROPOSED, 1, (parent.id,))
            assert store.verify(label)
            mask = store.read_mask(label)
            image = next(command.data.rglob(f"{label.study}/GED4.nii.gz"))
            assert mask.geometry.same_grid(read_geometry(image))
            assert store.read_probability(label).geometry.same_grid(read_geometry(image))
            truth = read_mask(command.truth / f"{label.case_id}.nii.gz", mask.geometry)
            assert dice(mask.array, truth.array) >= LEAST_DICE
            flipped = mask.array[:, :, ::-1]  # what a mask on a mirrored grid would be
            assert dice(flipped, truth.array) < LEAST_DICE - 0.2


def test_what_was_measured_stands_with_the_label_and_its_decision(command, called):
    assert called.returncode == 0, called.stderr
    for label in command.labels():
        measured = label.parameters["measurements"]
        assert 0.7 <= measured["consistency"] <= 1
        assert 0 < measured["entropy_bits"] < 1 and 0 <= measured["disagreement"] < 0.5
        assert label.parameters["from"] == [command.support] and label.parameters["insertions"] == 1
        with LabelStore.open(command.workspace) as store:
            scores = {score.name: score for score in store.decision(label.id).scores}
        assert scores["consistency"].ok and "labelled livers again" in scores["consistency"].reason
        assert "entropy" in scores


def test_the_review_queue_names_the_labels_with_a_reason(command, called):
    cases = {label.case_id for label in command.labels()}
    assert cases <= set(re.findall(r"\S+__GED4", called.stdout)), "the command ends with what to review first"
    queue = command(verb="review")
    assert queue.returncode == 0
    for case_id in cases:
        assert re.search(rf"{case_id} +GED4: .*(doubt|livers|passes)", queue.stdout), queue.stdout


def test_the_report_says_what_the_labels_were_made_from(command, called):
    options = {"data": str(command.data), "workspace": str(command.workspace), "device": "cpu", "workers": 1}
    written = verbs.report(options, Reporter())
    report = Path(written["files"]["Report"]).read_text(encoding="utf-8")
    assert report.count(f"few-shot from {command.support}") == len(command.labels())
    assert all(label.case_id in report for label in command.labels())


def test_a_second_call_makes_nothing_anew(command, called):
    assert called.returncode == 0, called.stderr
    state = command.workspace / "runs" / "default" / "state.json"
    before, stages = command.labels(), state.read_text()
    again = command.few_shot()
    assert again.returncode == 0, again.stderr
    assert command.labels() == before
    assert state.read_text() == stages, "it says when each stage was finished"
    assert "propose 1" not in again.stderr, "no step is gone through again"


def test_without_weights_the_command_that_gets_them_is_named(command):
    refused = command("--method", "few-shot", "--support", command.support)
    assert refused.returncode == 2
    assert "liversegssl models fetch medsam2" in refused.stderr and "Traceback" not in refused.stderr
