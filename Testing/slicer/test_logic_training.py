"""The logic of retraining without a window: what it would learn from, whether one goes on, before and after."""

import json

import pytest

slicer = pytest.importorskip("slicer")

from LiverSegSSLPanel.logic import Logic  # noqa: E402
from LiverSegSSLPanel.training import Training  # noqa: E402
from LiverSegSSLPanel.training_time import RELATIVE, expected_on_processor  # noqa: E402

from LiverSegSSLLib.errors import RecipeError  # noqa: E402
from LiverSegSSLLib.learn.methods import TRAINERS  # noqa: E402
from LiverSegSSLLib.rounds.recipe import load_recipe  # noqa: E402
from LiverSegSSLLib.rounds.state import RunState  # noqa: E402
from Testing.integration.loop_cohort import write_small_cohort  # noqa: E402
from Testing.slicer.trainings import TrainingUnderWay, recorded  # noqa: E402


@pytest.fixture
def logic(scene, tmp_path):
    logic = Logic(scene, device="cpu", workers=1)
    logic.openCohort(write_small_cohort(tmp_path)[0], tmp_path / "workspace")
    yield logic
    logic.closeCohort()


def test_what_a_training_would_learn_from(logic):
    ged4, t2 = logic.trainingSummary()
    assert (ged4.phase, ged4.cases["expert"], ged4.cases["unlabelled"]) == ("GED4", 2, 2)
    assert (t2.phase, sum(t2.cases.values()), t2.cases["unlabelled"]) == ("T2", 4, 4)
    (only,) = logic.trainingSummary(changes=["learn.phases=[T2]"])
    assert only == t2
    with pytest.raises(RecipeError, match=r"learn\.method is wrong"):
        logic.beginOutlook(Training(method="supervized"))
    outlook = logic.beginOutlook(Training()).wait()
    assert outlook.phases == (ged4, t2) and outlook.total("expert", "unlabelled") == 8
    assert not outlook.figures and not outlook.goes_on


def test_one_round_trains_and_several_run_the_loop(logic):
    one, three = Training(preset="cpu", folds=2), Training(method="cps", rounds=3, changes=("seed=4",))
    assert (one.verb, one.all_changes) == ("train", ('learn.preset="cpu"', "learn.folds=2"))
    assert (three.verb, three.all_changes) == ("run", ("seed=4", 'learn.method="cps"', "rounds=3"))
    recipe = load_recipe(three.recipe, three.all_changes)
    assert (recipe.learn.method, recipe.rounds, recipe.seed) == ("cps", 3, 4)


@pytest.mark.parametrize(("last", "goes_on"), [(-1, False), (-4, True)])
def test_only_what_has_not_ended_goes_on(logic, last, goes_on):
    training = Training(preset="cpu")
    asked = {"recipe": "default", "changes": list(training.all_changes), "device": "cuda"}
    job = TrainingUnderWay(logic.workspace, **asked)
    job.say(*recorded()[:last], *([recorded()[-1]] if not goes_on else []))
    job.end()
    assert (logic.unfinishedTraining(training) == job.folder) is goes_on, "on whichever device"
    assert logic.unfinishedTraining(Training(preset="small")) is None
    assert logic.unfinishedTraining(Training(preset="cpu", rounds=2)) is None


def test_one_that_was_refused_does_not_go_on(logic):
    job = logic.retrain(init="nowhere.pth")
    with pytest.raises(Exception, match=r"nowhere\.pth"):
        job.wait(120)
    assert logic.unfinishedTraining(Training(init="nowhere.pth")) is None
    assert json.loads((job.folder / "job.json").read_text())["parameters"]["changes"] == ['learn.init="nowhere.pth"']


def test_before_and_after_also_against_the_truth(logic):
    from LiverSegSSLLib.evaluate.tables import write_csv
    from LiverSegSSLLib.types import MetricRow

    folder = logic.workspace / "runs" / "default"
    state = RunState(folder / "state.json")
    state.stage("round 1: select", {}, lambda: {"labels": {"a__T2": "a__T2.v1"}, "kept": [], "change": None})
    state.stage("predict", {}, lambda: {"labels": {"a__T2": "a__T2.v2"}})
    rows = [
        MetricRow(case, "a", "T2", "A", "in", source, dice, 9.0, 5.0, 1.0, 0.5, False)
        for source, dice in (("proposals, round 1", 0.7), ("final prediction", 0.9))
        for case in ("a__T2", "b__T2")
    ]
    write_csv(rows, folder / "metrics.csv")
    before, after = logic.roundFigures()
    assert (before.which, before.judged, before.cases, after.which) == ("proposed", "truth", 2, "final")
    assert (before.value, after.value) == (pytest.approx(0.7), pytest.approx(0.9))


def test_every_method_has_a_time_and_folds_share_the_cores():
    assert set(RELATIVE) == set(TRAINERS)
    learn = load_recipe("default", ['learn.preset="cpu"', "learn.folds=4"]).learn
    one, two = (expected_on_processor(learn, 1, cores).seconds for cores in (1, 2))
    assert one == 2 * two and expected_on_processor(learn, 3, 2).seconds == 3 * two
