"""The shipped recipe ``cps_stunet`` from the command line: no proposals, two STU-Nets, masks and a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from LiverSegSSLLib.cli.main import main
from LiverSegSSLLib.labels.store import LabelStore
from LiverSegSSLLib.learn.card import read_card
from Testing.integration.loop_cohort import write_small_cohort

pytestmark = pytest.mark.timeout(600)

TINY = {
    "epochs": 2,
    "iterations_per_epoch": 2,
    "val_iterations": 1,
    "network": {"features_per_stage": [4] * 6},
    "configuration": {"spacing": [8.0, 6.0, 6.0], "patch_size": [16, 32, 32]},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_cohort(tmp_path_factory.mktemp("cohort"))[0]


def run(data: Path, workspace: Path, *changes: str) -> int:
    settings = [argument for change in (*changes, "predict.follow_edges=false") for argument in ("--set", change)]
    place = ["--workspace", str(workspace), "--recipe", "cps_stunet", "--device", "cpu"]
    return main(["run", str(data), *place, *settings])


@pytest.mark.slow
def test_it_runs_end_to_end(data: Path, tmp_path: Path) -> None:
    small = [f"learn.options={json.dumps(TINY)}", "learn.preset=cpu", "learn.folds=2", "learn.init=null"]
    assert run(data, tmp_path, *small) == 0
    place = tmp_path / "runs" / "cps_stunet"
    stages: dict[str, Any] = json.loads((place / "state.json").read_text())["stages"]
    trained = stages["round 1: train"]["output"]
    assert trained["trained_on"] == 2 and trained["unlabelled"] == 2
    for curve in trained["curves"].values():
        # The truth of each fold is an expert's label that it was not trained on.
        assert {"supervised_loss", "unsupervised_loss", "disagreement", "dice"} <= curve.keys()
    card = read_card(tmp_path / trained["model"])
    assert card["method"] == "cps" and card["preset"]["network"]["kind"] == "stunet"
    plans = json.loads((tmp_path / trained["model"] / "plans.json").read_text())
    built = plans["configurations"]["3d_fullres"]["architecture"]["network_class_name"]
    assert built == "LiverSegSSLLib.learn.networks.stunet.STUNet"
    with LabelStore.open(tmp_path) as store:
        final = stages["predict"]["output"]["labels"]
        assert len(final) == 2 and all(store.label(label_id).source == "ensemble" for label_id in final.values())
    report = (place / "report.html").read_text()
    for words in ("unsupervised_loss", "disagreement", "2 labelled cases and 2 without a label"):
        assert words in report


def test_without_weights_it_says_the_command_before_anything_is_done(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIVERSEGSSL_MODELS", str(tmp_path / "shelf"))
    assert run(data, tmp_path / "workspace") == 2
    said = " ".join(capfd.readouterr().err.split())
    assert "liversegssl models fetch stunet-small" in said
    assert not list((tmp_path / "workspace").rglob("*.npy"))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--method", "cpss"], "learn.method"),
        (["--network", "resenc-m"], "resenc-m: is not a network"),
        (["--set", "learn.options={cps: {wait: 1}}"], "has no training option 'wait'"),
        (["--set", "learn.options={unlabelled_batch: -1}"], "unlabelled_batch"),
    ],
)
def test_bad_options(
    data: Path, tmp_path: Path, arguments: list[str], complaint: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(data), "--workspace", str(tmp_path), "--recipe", "cps_stunet", *arguments]) == 2
    assert complaint in " ".join(capfd.readouterr().err.split())


def test_no_unlabelled_image_is_left(data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    labelled = tmp_path / "data"
    labelled.mkdir()
    for study in data.rglob("mask_GED4.nii.gz"):
        (labelled / study.parent.name).symlink_to(study.parent)
    small = [f"learn.options={json.dumps(TINY)}", "learn.preset=cpu", "learn.init=null"]
    assert run(labelled, tmp_path / "workspace", *small) == 2
    assert "learns from unlabelled images too, and there is none" in " ".join(capfd.readouterr().err.split())
