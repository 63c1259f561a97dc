"""A recipe that begins with weights: where they are looked for, and that they are missed before any work is done."""

import os

import pytest

from LiverSegSSLLib.cli.main import main
from LiverSegSSLLib.errors import BadInputError, WeightsError
from LiverSegSSLLib.events import Reporter
from LiverSegSSLLib.labels.label import LabelState
from LiverSegSSLLib.rounds.opening import RunOptions, open_session
from LiverSegSSLLib.rounds.training import initial_weights, require_initial_weights
from LiverSegSSLLib.rounds.verbs import train
from Testing.integration.loop_cohort import write_small_cohort


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_small_cohort(tmp_path_factory.mktemp("cohort"))


@pytest.fixture(autouse=True)
def empty_shelf(tmp_path, monkeypatch):
    monkeypatch.setenv("LIVERSEGSSL_MODELS", str(tmp_path / "shelf"))


def options(cohort, workspace, *changes):
    return RunOptions(cohort[0], workspace, str(cohort[2]), changes)


@pytest.mark.parametrize(
    ("init", "kind", "says"),
    [
        ("models:stunet-small", WeightsError, "models fetch stunet-small"),
        ("models:stunet-smal", WeightsError, "did you mean stunet-small"),
        ("elsewhere/model", BadInputError, "is nothing to begin with"),
    ],
)
def test_missing_weights_are_said_before_anything_is_proposed(cohort, tmp_path, init, kind, says):
    parameters = {"data": str(cohort[0]), "workspace": str(tmp_path / "work"), "recipe": str(cohort[2]), "init": init}
    with pytest.raises(kind, match=says):
        train(parameters, Reporter())
    with open_session(options(cohort, tmp_path / "work"), Reporter()) as session:
        assert {label.state for label in session.store.labels()} == {LabelState.EXPERT}


def test_a_relative_path_starts_at_the_workspace_and_a_name_stays(cohort, tmp_path):
    for init, expected in [
        ("old/model", os.fspath(tmp_path / "work" / "old" / "model")),
        (os.fspath(tmp_path / "x.pth"), os.fspath(tmp_path / "x.pth")),
        ("models:stunet-base", "models:stunet-base"),
        ("null", None),
    ]:
        with open_session(options(cohort, tmp_path / "work", f"learn.init={init}"), Reporter()) as session:
            assert initial_weights(session) == expected


def test_a_checkpoint_that_is_there_passes(cohort, tmp_path):
    (tmp_path / "x.pth").write_bytes(b"weights")
    with open_session(options(cohort, tmp_path / "work", f"learn.init={tmp_path / 'x.pth'}"), Reporter()) as session:
        require_initial_weights(session)


def test_on_the_command_line_a_path_starts_where_the_user_is(cohort, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    arguments = [str(cohort[0]), "--workspace", str(tmp_path / "work"), "--recipe", str(cohort[2])]
    assert main(["train", *arguments, "--init", "mine.pth"]) == 2
    error = capfd.readouterr().err
    assert str(tmp_path / "mine.pth") in error and "models list" in error and "Traceback" not in error
