"""The logic behind Propose and Results, without a window."""

import json
import os
from types import SimpleNamespace

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")

import vtk  # noqa: E402
from LiverSegSSLPanel.logic import Logic  # noqa: E402
from LiverSegSSLPanel.proposing import Wish, entries, phase_counts, training_changes  # noqa: E402
from LiverSegSSLPanel.scene import dicom_seg  # noqa: E402
from LiverSegSSLPanel.scene.loaded import INSTANCES  # noqa: E402
from LiverSegSSLPanel.scene.volumes import add_volume, volume_of  # noqa: E402

from LiverSegSSLLib.errors import BadInputError  # noqa: E402
from LiverSegSSLLib.rounds.recipe import load_recipe  # noqa: E402
from LiverSegSSLLib.volume import Geometry, Volume, read_mask  # noqa: E402
from Testing.integration.loop_cohort import write_small_cohort  # noqa: E402


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_small_cohort(tmp_path_factory.mktemp("cohort"))[:2]


@pytest.fixture
def logic(scene, data, tmp_path):
    logic = Logic(scene, device="cpu")
    logic.openCohort(data[0], tmp_path / "workspace")
    yield logic
    logic.closeCohort()


def test_a_training_is_one_round_of_the_recipe_without_proposals():
    wish = Wish("bcp", targets=("T2",), options=("epochs=3",), changes=("learn.folds=2",))
    recipe = load_recipe("default", training_changes(wish, ["GED4"]))
    assert (recipe.propose, recipe.rounds, recipe.learn.method, recipe.learn.folds) == ((), 1, "bcp", 2)
    assert recipe.phases == ("T2",), "only these are predicted"
    assert recipe.learn.phases == ("GED4", "T2"), "what has labels is learnt from too"
    assert recipe.learn.options == {"epochs": 3}
    assert load_recipe("demo", training_changes(Wish("cps"), [])).phases == load_recipe("demo").phases


def test_the_library_says_what_it_has_against_a_wish(monkeypatch, tmp_path, logic):
    monkeypatch.setenv("LIVERSEGSSL_MODELS", str(tmp_path))
    assert logic.whyNotMakeLabels(Wish()) == [], "the default recipe goes on without few-shot"
    assert logic.whyNotMakeLabels(Wish("atlas", options=("atlases=2",))) == []
    (reason,) = logic.whyNotMakeLabels(Wish("few-shot"))
    assert "liversegssl models fetch medsam2" in reason
    assert logic.whyNotMakeLabels(Wish(recipe="ssl_medsam2"))
    (reason,) = logic.whyNotMakeLabels(Wish("atlas", options=("atlases",)))
    assert "is not key=value" in reason
    (reason,) = logic.whyNotMakeLabels(Wish("cps", options=("epoch=3",)))
    assert "has no training option 'epoch' – did you mean epochs?" in reason
    (reason,) = logic.whyNotMakeLabels(Wish("cps", recipe="cps_stunet"))
    assert "stunet-small" in reason
    assert logic.whyNotMakeLabels(Wish("cps", recipe="cps_stunet", changes=("learn.init=null",))) == []
    assert "did you mean demo" in logic.whyNotMakeLabels(Wish(recipe="dmo"))[0]
    assert entries(" a=1 \n\n b=2") == ("a=1", "b=2")


def test_models_are_found_newest_first_and_only_when_they_are_whole(logic):
    results = logic.workspace / "nnunet" / "demo" / "results" / "Dataset001_x"
    for place, (name, age_s) in enumerate({"old": 100, "new": 0, "unfinished": 0}.items()):
        folder = results / f"Trainer{place}"
        (folder / "fold_0").mkdir(parents=True)
        (folder / "liversegssl_model.json").write_text(json.dumps({"name": name, "method": "cps"}), encoding="utf-8")
        if name != "unfinished":
            (folder / "fold_0" / "checkpoint_final.pth").write_bytes(b"")
        time = (folder / "liversegssl_model.json").stat().st_mtime - age_s
        os.utime(folder / "liversegssl_model.json", (time, time))
    found = logic.trainedModels()
    assert [(model.name, model.method) for model in found] == [("demo, new", "cps"), ("demo, old", "cps")]
    assert logic.results().models == tuple(found)


def test_results_count_labels_and_their_volumes(logic, data):
    labelled = [cell.case_id for row in logic.rows(state="expert") for cell in row.phases if cell.state == "expert"]
    logic.store.add_expert(logic.case(labelled[0]))
    t2 = labelled[0].replace("GED4", "T2")
    label = logic.store.add(t2, read_mask(data[1] / f"{t2}.nii.gz"), source="transfer", round=1)
    counts = {(count.phase, count.vendor): count for count in logic.results().labels}
    assert set(counts) == {("GED4", "A"), ("GED4", "B1"), ("T2", "A"), ("T2", "B1")}
    vendor = logic.case(t2).vendor
    assert counts["T2", vendor].states == {"proposed": 1, "none": 1}
    assert counts["T2", vendor].volume_ml.mean == pytest.approx(label.volume_ml)
    assert logic.results().evaluation is None and logic.results().report is None
    assert [(count.phase, count.cases, count.open) for count in phase_counts(logic.rows())] == [
        ("GED4", 4, 2),
        ("T2", 4, 4),
    ]
    metrics = logic.workspace / "runs" / "default" / "metrics.csv"
    metrics.parent.mkdir(parents=True)
    metrics.write_text("nonsense", encoding="utf-8")
    with pytest.raises(BadInputError, match="not a table of metrics"):
        logic.results()


def test_the_dicom_volume_is_known_by_its_voxels_and_its_place(scene):
    rng = np.random.default_rng(0)
    image = Volume(rng.integers(0, 500, (9, 20, 30)).astype(np.float32), Geometry((30, 20, 9), (1.5, 1.5, 4.0)))
    ours = add_volume(scene, image, "ours")

    def dicom(volume, name):
        node = add_volume(scene, volume, name)
        node.SetAttribute(INSTANCES, "1.2 1.3")
        return node

    other = image.array.copy()
    other[1, 1, 1] += 1
    dicom(image.with_array(other), "another phase")
    dicom(Volume(image.array, Geometry((30, 20, 9), (1.5, 1.5, 3.9))), "another grid")
    add_volume(scene, image, "a copy that is not from DICOM")
    assert dicom_seg.dicom_original(scene, ours) is None
    original = dicom(image.with_array(image.array.astype(np.int16)), "original")
    assert dicom_seg.dicom_original(scene, ours) is original

    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(2, 3, 25.0)
    transform.SetMatrixTransformToParent(matrix)
    original.SetAndObserveTransformNodeID(transform.GetID())
    assert dicom_seg.dicom_original(scene, ours) is None, "it stands elsewhere now"
    assert dicom_seg.dicom_original(scene, add_volume(scene, volume_of(original), "moved with it")) is original


def test_a_study_that_was_made_of_dicom_volumes_is_known_again(scene, tmp_path):
    rng = np.random.default_rng(1)
    cosine, sine = np.cos(0.2), np.sin(0.2)
    oblique = (cosine, 0.0, sine, 0.0, 1.0, 0.0, -sine, 0.0, cosine)
    geometry = Geometry((24, 20, 9), (1.1875, 1.1875, 3.3), (-101.3, 33.7, 12.9), oblique)
    nodes = [
        add_volume(scene, Volume(rng.integers(0, 900, (9, 20, 24)).astype(np.int16), geometry), name)
        for name in ("t1 vibe 20min", "t2 haste")
    ]
    for node in nodes:
        node.SetAttribute(INSTANCES, "1.2 1.3")
    logic = Logic(scene)
    choice = dict(zip((node.GetID() for node in nodes), ("GED4", "T2"), strict=True))
    logic.beginAdopting(choice, tmp_path / "data", "study1").wait()
    logic.openCohort(tmp_path / "data", tmp_path / "workspace")
    study = logic.loadStudy("study1")
    found = [dicom_seg.dicom_original(scene, phase.image).GetName() for phase in study.phases]
    assert found == ["t1 vibe 20min", "t2 haste"]
    logic.closeCohort()


def test_dicom_seg_needs_a_loaded_study_and_an_exporter(logic, tmp_path):
    case_id = next(cell.case_id for row in logic.rows(state="expert") for cell in row.phases if cell.state == "expert")
    assert logic.canExportDicomSeg(case_id) == (False, "its study is not loaded")
    assert logic.drawnCases() == []
    logic.loadStudy(case_id.split("__")[0])
    ok, reason = logic.canExportDicomSeg(case_id)
    assert not ok and "this Slicer has no DICOM SEG exporter" in reason
    with pytest.raises(BadInputError, match="cannot be exported as DICOM SEG: this Slicer has no"):
        logic.exportDicomSeg(case_id, tmp_path)
    slicer.modules.dicomPlugins = {dicom_seg.EXPORTER: SimpleNamespace}
    assert logic.drawnCases() == [case_id]
    assert logic.canExportDicomSeg(case_id.replace("GED4", "T2")) == (False, "there is no label")
    assert "load it in the module DICOM" in logic.canExportDicomSeg(case_id)[1]
