"""What a training keeps in the workspace: somebody who can write there plants a bomb, and the training goes on.

The share may be written to by others than the one at whose computer, and with whose rights, the training runs.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from LiverSegSSLLib.checkpoint import load_checkpoint
from LiverSegSSLLib.engine import Folders, environment
from LiverSegSSLLib.errors import LiverSegError
from LiverSegSSLLib.events import SILENT
from LiverSegSSLLib.learn.fold import FINAL
from LiverSegSSLLib.learn.plans import CONFIGURATION, PLANS
from LiverSegSSLLib.learn.prepare import prepare
from LiverSegSSLLib.learn.prepared import PreparedDataset
from LiverSegSSLLib.learn.preprocess import IMAGE, LABEL, PLACES
from LiverSegSSLLib.learn.train import RunResult, TrainSpec, train
from Testing.hostile.bombs import CONTENTS, Canary, a_checkpoint, a_module, a_network, a_pickle
from Testing.integration.semi_cases import SMALLEST, semi_cases, train_in_this_process

CASE = "p0__GED4"
OPTIONS = {**SMALLEST, "epochs": 1, "save_every": 1}


@dataclass(frozen=True)
class Workplace:
    """nnU-Net's folders of a training that has ended, in which further ones run in this process."""

    nnunet: Path
    result: RunResult

    @property
    def prepared(self) -> Path:
        return self.data / f"{PLANS}_{CONFIGURATION}"

    @property
    def data(self) -> Path:
        return self.nnunet / "preprocessed" / self.result.model_folder.parent.name

    @property
    def model(self) -> Path:
        return self.nnunet / "results" / self.result.model_folder.relative_to(self.result.model_folder.parents[1])

    @property
    def fold(self) -> Path:
        return self.model / "fold_all"

    def train(self) -> None:
        specification = json.loads((self.fold / "fold.json").read_text())
        train_in_this_process({**specification, "preprocessed": str(self.data)}, SILENT)

    def prepare(self) -> dict[str, Any]:
        specification = json.loads((self.model / "prepare.json").read_text())
        raw = self.nnunet / "raw" / self.data.name
        return prepare({**specification, "raw": str(raw), "preprocessed": str(self.data)}, SILENT)


def spec(folder: Path) -> TrainSpec:
    return TrainSpec("x", semi_cases(folder / "data", 2, 0), folder / "nnunet", "cpu", 1, OPTIONS, 3, "cpu", 1)


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    folder = tmp_path_factory.mktemp("training")
    return Workplace(folder / "nnunet", train(spec(folder)))


@pytest.fixture
def workplace(ended: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    shutil.copytree(ended.nnunet, tmp_path / "nnunet")
    for name, value in environment(Folders(tmp_path / "nnunet"), 1).items():
        monkeypatch.setenv(name, value)
    return replace(ended, nnunet=tmp_path / "nnunet")


def again(workplace: Workplace) -> None:
    """As if the training had been killed before its first checkpoint."""
    (workplace.fold / FINAL).unlink()


def test_no_file_of_a_training_is_a_pickle_but_its_checkpoints(ended: Workplace) -> None:
    """Those are read by a reader of ours that runs nothing."""
    kinds = {path.suffix for path in ended.nnunet.rglob("*") if path.is_file()}
    assert kinds <= {".json", ".npy", ".npz", ".pth", ".txt", ".log"}, kinds
    for path in ended.prepared.iterdir():
        with path.open("rb") as file:
            assert file.read(6) in (b"\x93NUMPY", b"PK\x03\x04\x14\x00", b"PK\x03\x04-\x00"), path


@pytest.mark.parametrize("suffix", [IMAGE, LABEL, PLACES])
@pytest.mark.parametrize("content", ["pickle", "array", "arrays", "checkpoint", "empty", "cut"])
def test_a_prepared_case(suffix: str, content: str, workplace: Workplace, canary: Canary) -> None:
    again(workplace)
    path = workplace.prepared / f"{CASE}{suffix}"
    whole = path.read_bytes()
    path.write_bytes({"empty": b"", "cut": whole[:90]}.get(content) or CONTENTS.get(content, a_pickle)(canary))
    if content == "empty":
        path.write_bytes(b"")
    with pytest.raises(LiverSegError, match=rf"{CASE}.*: a prepared case cannot be read .*delete its folder"):
        workplace.train()


def test_files_as_nnunet_itself_keeps_them_are_not_looked_at(workplace: Workplace, canary: Canary) -> None:
    again(workplace)
    for suffix in (".pkl", ".b2nd", "_seg.b2nd"):
        (workplace.prepared / f"{CASE}{suffix}").write_bytes(a_pickle(canary))
    workplace.prepare()
    assert not list(workplace.prepared.glob("*.pkl")) + list(workplace.prepared.glob("*.b2nd"))
    (workplace.prepared / f"{CASE}.pkl").write_bytes(a_pickle(canary))  # once more, behind the back of the preparation
    workplace.train()
    assert (workplace.fold / FINAL).is_file()


@pytest.mark.parametrize("name", CONTENTS)
def test_the_checkpoint_of_a_killed_training(name: str, workplace: Workplace, canary: Canary) -> None:
    again(workplace)
    (workplace.fold / "checkpoint_latest.pth").write_bytes(CONTENTS[name](canary))
    with pytest.raises(LiverSegError, match=r"checkpoint_latest\.pth: is not a checkpoint that can be trusted"):
        workplace.train()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"trainer_name": "MeanTeacherTrainer"}, "is a checkpoint of MeanTeacherTrainer, not of LiverSegTrainer"),
        ({"logging": None}, "does not go with this training"),
        ({"optimizer_state": {}}, "does not go with this training"),
        ({"network_weights": {}}, "does not go with this training"),
        ({"current_epoch": "many"}, "does not go with this training"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_checkpoint_that_is_not_whole(change: dict[str, Any], says: str, workplace: Workplace) -> None:
    import torch

    content = load_checkpoint(workplace.fold / FINAL)
    again(workplace)
    torch.save({**content, **change}, workplace.fold / "checkpoint_latest.pth")
    with pytest.raises(LiverSegError, match=says):
        workplace.train()


def test_a_checkpoint_is_read_once(workplace: Workplace, canary: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can put another file in its place between a look at it and its use."""
    from LiverSegSSLLib.learn import trainer

    (workplace.fold / FINAL).rename(workplace.fold / "checkpoint_latest.pth")
    read = []

    def and_then_replaced(path: Any, device: Any = "cpu") -> dict[str, Any]:
        content: dict[str, Any] = whole(path, device)
        if str(path).endswith("checkpoint_latest.pth"):
            read.append(path)
            Path(path).write_bytes(a_checkpoint(canary))
        return content

    whole = trainer.load_checkpoint
    monkeypatch.setattr(trainer, "load_checkpoint", and_then_replaced)
    workplace.train()
    assert len(read) == 1


def plans_that_run(path: Path, canary: Canary, *keys: str) -> None:
    content = json.loads(path.read_text())
    plans = content
    for key in keys:
        plans = plans[key]
    plans["configurations"][CONFIGURATION]["architecture"] = a_network(canary)
    path.write_text(json.dumps(content))


def test_plans_planted_before_a_fold(workplace: Workplace, canary: Canary) -> None:
    again(workplace)
    plans_that_run(workplace.data / f"{PLANS}.json", canary)
    with pytest.raises(LiverSegError, match=rf"{PLANS}\.json: names 'os\.mkdir' as its nonlin"):
        workplace.train()


def test_plans_planted_before_the_preparation(workplace: Workplace, canary: Canary) -> None:
    plans_that_run(workplace.data / "planned.json", canary, "plans")
    with pytest.raises(LiverSegError, match=r"planned\.json: names 'os\.mkdir' as its nonlin"):
        workplace.prepare()


@pytest.mark.parametrize("where", ["../../../../elsewhere", "/", "C:evil", "a/b", "..", ""])
def test_plans_that_would_clear_another_folder(where: str, workplace: Workplace, tmp_path: Path) -> None:
    """The folder of prepared cases has its name from the plans, and whatever is of no case in it is removed."""
    mine = tmp_path / "elsewhere" / "mine"
    mine.mkdir(parents=True)
    path = workplace.data / "planned.json"
    content = json.loads(path.read_text())
    content["plans"]["configurations"][CONFIGURATION]["data_identifier"] = where
    path.write_text(json.dumps(content))
    with pytest.raises(LiverSegError, match="as its data_identifier, which nnU-Net does not"):
        workplace.prepare()
    assert mine.is_dir()


@pytest.mark.parametrize("content", ["pickle", "text", "list", "nested"])
def test_what_was_planned_is_planned_again_where_it_cannot_be_read(
    content: str, workplace: Workplace, canary: Canary
) -> None:
    contents = {"text": b"hello", "list": b"[]", "nested": b"[" * 100_000, "pickle": a_pickle(canary)}
    (workplace.data / "planned.json").write_bytes(contents[content])
    assert workplace.prepare()["written"] == 0
    assert "plans" in json.loads((workplace.data / "planned.json").read_text())


def test_modules_beside_the_data_are_not_imported(workplace: Workplace, canary: Canary) -> None:
    again(workplace)
    for folder in (workplace.nnunet, workplace.data, workplace.prepared, workplace.model, workplace.fold):
        for name in ("LiverSegTrainer.py", "liverseg.py", "sitecustomize.py"):
            (folder / name).write_text(a_module(canary))
    workplace.prepare()
    workplace.train()
    assert (workplace.fold / FINAL).is_file()


def test_links_in_the_folder_of_prepared_cases(workplace: Workplace, tmp_path: Path) -> None:
    """A link to a folder is removed, not what it leads to; a link in place of a case is replaced."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("dear")
    (workplace.prepared / "folder").symlink_to(mine)
    (workplace.data / "stamps" / f"{CASE}.json").unlink()
    path = workplace.prepared / f"{CASE}{IMAGE}"
    path.unlink()
    path.symlink_to(mine / "letter.txt")
    assert workplace.prepare()["written"] == 1
    assert (mine / "letter.txt").read_text() == "dear" and not path.is_symlink()
    assert not (workplace.prepared / "folder").exists()


@pytest.mark.slow
def test_the_answer_of_a_training_is_one_line(ended: Workplace, tmp_path: Path, canary: Canary) -> None:
    """Through the processes that a user's command starts."""
    shutil.copytree(ended.nnunet.parent, tmp_path, dirs_exist_ok=True)
    workplace = replace(ended, nnunet=tmp_path / "nnunet")
    again(workplace)
    (workplace.fold / "checkpoint_latest.pth").write_bytes(a_checkpoint(canary))
    with pytest.raises(LiverSegError, match=r"^[^\n]*checkpoint_latest\.pth: is not a checkpoint[^\n]*$") as caught:
        train(spec(tmp_path))
    assert caught.value.exit_code == 2


def test_what_is_kept_is_what_was_given(tmp_path: Path) -> None:
    """As nnU-Net gives and wants it: labels of their own, several together, none; places bit for bit."""
    generator = np.random.default_rng(0)
    image = generator.normal(size=(1, 5, 6, 7)).astype(np.float32)
    label = generator.integers(-1, 3, (1, 5, 6, 7)).astype(np.int16)
    places = {1: np.argwhere(label == 1), (-1, 0, 1): np.argwhere(label < 2), 2: []}
    PreparedDataset.save_case(image, label, {"class_locations": places, "spacing": [1, 1, 1]}, str(tmp_path / "a__T1"))
    (tmp_path / ".writing~x~1~2~3.npz").touch()  # by a process under way
    assert PreparedDataset.get_identifiers(str(tmp_path)) == ["a__T1"]
    dataset = PreparedDataset(str(tmp_path))
    found_image, found_label, previous, properties = dataset.load_case("a__T1")
    assert previous is None and found_image.dtype == np.float32
    np.testing.assert_array_equal(found_image, image)
    np.testing.assert_array_equal(found_label, label)
    assert list(properties["class_locations"]) == list(places)  # the order decides what is drawn
    for key, voxels in places.items():
        np.testing.assert_array_equal(properties["class_locations"][key], np.asarray(voxels).reshape(-1, 4))
    found_image += 1  # as a transform might
    np.testing.assert_array_equal(dataset.load_case("a__T1")[0], image)
