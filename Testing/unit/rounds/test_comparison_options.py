"""What a comparison is asked for, and what is said when it makes no sense."""

import threading

import pytest

from LiverSegSSLLib.cohort.study import Phase
from LiverSegSSLLib.errors import RecipeError
from LiverSegSSLLib.events import Event, Reporter
from LiverSegSSLLib.rounds.comparison_options import METHODS, comparison_options
from LiverSegSSLLib.rounds.comparison_plan import Cell
from LiverSegSSLLib.rounds.comparison_progress import Progress


def test_everything_has_a_default():
    options = comparison_options({})
    assert options.methods == METHODS and METHODS[0] == "supervised" and len(METHODS) == 6
    assert (options.labelled, options.seeds, options.phases) == ((2, 4, 8), 3, (Phase.GED4,))


def test_lists_are_read_and_training_options_nested():
    options = comparison_options(
        {
            "methods": "cps, supervised",
            "labelled": "4,2",
            "targets": ["t2", "GED4"],
            "changes": ["epochs=8", "cps.weight=0.5", "configuration={patch_size: [16, 32, 32]}"],
        }
    )
    assert options.methods == ("supervised", "cps")  # what is compared with comes first
    assert options.labelled == (2, 4)
    assert options.phases == (Phase.T2, Phase.GED4)
    assert options.network is None
    assert options.training == {
        "epochs": 8,
        "cps": {"weight": 0.5},
        "configuration": {"patch_size": [16, 32, 32]},
    }


def test_pseudo_labels_bring_the_supervised_training_that_makes_them():
    assert comparison_options({"methods": "bcp,pseudo"}).methods == ("supervised", "bcp", "pseudo")
    assert comparison_options({"methods": "bcp"}).methods == ("bcp",)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"methods": "mean_teacher"}, "did you mean mean-teacher"),
        ({"methods": "supervised,,cps"}, "is no list"),
        ({"methods": "cps,cps"}, "names something twice"),
        ({"labelled": "2,four"}, "four: is not a number of labelled studies"),
        ({"labelled": "0"}, "0: is not a number of labelled studies"),
        ({"targets": ["GDE4"]}, "did you mean GED4"),
        ({"changes": ["epochs"]}, "write for example epochs=8"),
        ({"name": "../elsewhere"}, "cannot be the name of a folder"),
        ({"name": "."}, "cannot be the name of a folder"),
    ],
)
def test_what_makes_no_sense_is_said_in_one_line(parameters, says):
    with pytest.raises(RecipeError, match=says) as raised:
        comparison_options(parameters)
    assert "\n" not in str(raised.value)


CELLS = (Cell(0, 2, 0, ("a",), ("b",)), Cell(1, 2, 1, ("b",), ("a",)))


def test_progress_counts_the_cells_of_all_methods():
    events: list[Event] = []
    progress = Progress(Reporter(events.append), 4)
    reporter = progress.reporter("cps", CELLS)
    for epoch in (1, 2):
        reporter.progress("train fold 1", epoch, 2)
    reporter.metric("train fold 1", loss=0.5)
    reporter.progress("prepare", 1, 1)
    told = [event for event in events if event.stage == "cells"]
    assert [event.data["done"] for event in told] == [0, 1] and told[-1].data["total"] == 4
    assert "cps: 2 labelled, seed 1 (1/2), about" in told[0].message and told[0].message.endswith("left")
    # The folds' other events are called by what they are; what is of no fold stays as it was.
    (metric,) = (event for event in events if event.kind == "metric")
    assert metric.stage == "cps: 2 labelled, seed 1" and metric.data == {"loss": 0.5}
    assert {event.stage for event in events if event.kind == "progress"} == {"cells", "prepare"}
    progress.trained("cps", CELLS)
    progress.trained("bcp", CELLS)
    assert events[-1].data == {"done": 4, "total": 4} and "left" not in events[-1].message


def test_a_training_that_goes_on_is_not_taken_for_quick(monkeypatch):
    """From epoch 90 of 100 on one epoch a second: the other of two cells takes 100 s, not 1."""
    clock = iter([0.0, 1.0, 2.0])
    monkeypatch.setattr("LiverSegSSLLib.rounds.comparison_progress.time.monotonic", lambda: next(clock))
    events: list[Event] = []
    reporter = Progress(Reporter(events.append), 2).reporter("cps", CELLS)
    reporter.progress("train fold 0", 90, 100)
    reporter.progress("train fold 0", 91, 100)
    assert "about 1 min 49 s left" in events[-1].message


def test_trainings_side_by_side_may_report_at_once():
    events: list[Event] = []
    reporter = Progress(Reporter(events.append), 2).reporter("cps", CELLS)
    threads = [
        threading.Thread(target=lambda n=number: [reporter.progress(f"train fold {n}", e, 50) for e in range(1, 51)])
        for number in (0, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(event.data["done"] for event in events if event.stage == "cells") == 2
