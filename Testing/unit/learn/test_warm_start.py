"""What a training begins with: found by name, folder or file, and never knowing what it is to be judged by."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from LiverSegSSLLib.errors import BadInputError, WeightsError
from LiverSegSSLLib.learn.card import CARD, images_seen, read_card, seen_by, write_card
from LiverSegSSLLib.learn.cases import TrainingCase
from LiverSegSSLLib.learn.fold import FINAL
from LiverSegSSLLib.learn.options import load_preset
from LiverSegSSLLib.learn.preprocess import image_key
from LiverSegSSLLib.learn.splits import held_out_fold, make_folds
from LiverSegSSLLib.learn.warm_start import Origin, Start, find_origin
from LiverSegSSLLib.models.catalogue import find
from LiverSegSSLLib.models.shelf import Shelf


def cases(folder, count=6):
    """Cases whose images differ; the first is expert."""
    made = []
    for number in range(count):
        image = folder / f"image{number}"
        image.write_bytes(bytes([number]) * 100)
        made.append(TrainingCase(f"s{number}__GED4", image, image, "pseudo" if number else "expert"))
    return made


def model(folder, names=(0, 1), card=None):
    for name in names:
        (folder / f"fold_{name}").mkdir(parents=True)
        (folder / f"fold_{name}" / FINAL).write_bytes(b"weights")
    if card is not None:
        (folder / CARD).write_text(json.dumps(card))
    return folder


def test_a_model_folder_gives_each_fold_its_own_weights_with_their_output_layers(tmp_path):
    origin = find_origin(model(tmp_path / "Dataset001_x" / "Trainer__Plans__3d_fullres"))
    assert origin.label == "Dataset001_x/Trainer__Plans__3d_fullres"
    for fold in (0, 1):
        start = origin.start(fold, {"a__GED4": "1"})
        assert start.checkpoint.parent.name == f"fold_{fold}" and start.keep_heads
    # More folds than it has, or one model of everything: any of them.
    assert origin.start(4, {}).checkpoint.parent.name == "fold_0"
    assert origin.start("all", {}).checkpoint.parent.name == "fold_0"
    assert find_origin(model(tmp_path / "m", ["all"])).start(3, {}).checkpoint.parent.name == "fold_all"


def test_a_fold_begins_with_weights_that_know_none_of_its_held_out_cases(tmp_path):
    card = {"seen": {"0": ["k1", "k2"], "1": ["k3"]}}
    origin = find_origin(model(tmp_path / "m", card=card))
    assert origin.start(0, {"a__GED4": "k3"}).checkpoint.parent.name == "fold_0"
    assert origin.start(0, {"a__GED4": "k1"}).checkpoint.parent.name == "fold_1"  # another that has not seen it
    assert origin.start(0, {"a__GED4": "k1", "b__GED4": "k3"}) is None


@given(
    seen=st.dictionaries(st.integers(0, 4), st.frozensets(st.sampled_from("abcdef")), min_size=1),
    held_out=st.frozensets(st.sampled_from("abcdef")),
    fold=st.one_of(st.integers(0, 4), st.just("all")),
)
def test_no_start_knows_a_held_out_case_and_one_is_found_if_there_is_one(seen, held_out, fold):
    from pathlib import Path

    starts = {name: Start(Path(f"fold_{name}"), True, known) for name, known in seen.items()}
    start = Origin("m", starts).start(fold, {f"case {key}": key for key in held_out})
    if start is None:
        assert all(known & held_out for known in seen.values())
    else:
        assert not start.seen & held_out
        if fold in seen and not seen[fold] & held_out:
            assert start is starts[fold]


def test_cards_of_the_last_version_know_case_ids(tmp_path):
    card = {"held_out": {"a__GED4": 0, "b__GED4": 1}, "pseudo": ["a__GED4", "b__GED4"], "expert": ["e__GED4"]}
    origin = find_origin(model(tmp_path / "m", card=card))
    assert origin.start(0, {"a__GED4": "k"}).checkpoint.parent.name == "fold_0"
    assert origin.start(0, {"a__GED4": "k", "b__GED4": "l"}) is None
    assert origin.start(0, {"e__GED4": "k"}) is None


def test_a_checkpoint_file_gives_all_but_its_output_layers_and_is_asked_what_it_knows(tmp_path):
    folder = model(tmp_path / "m", card={"seen": {"0": ["k1"], "1": []}})
    origin = find_origin(str(folder / "fold_0" / FINAL))
    assert not origin.start(0, {}).keep_heads
    assert origin.start(0, {"a__GED4": "k1"}) is None
    foreign = tmp_path / "small_ep4k.model"
    foreign.write_bytes(b"x")
    assert find_origin(foreign).start(3, {"a__GED4": "k1"}).checkpoint == foreign


def test_a_name_of_the_catalogue_is_looked_up_on_the_shelf(tmp_path):
    shelf = Shelf(tmp_path / "shelf")
    with pytest.raises(WeightsError, match=r"models fetch stunet-small.*Without it: training from scratch"):
        find_origin("models:stunet-small", shelf)
    with pytest.raises(WeightsError, match="did you mean stunet-small"):
        find_origin("models:stunet-smal", shelf)


def test_weights_of_the_catalogue_are_found_where_the_shelf_keeps_them(tmp_path):
    import torch

    entry = replace(find("stunet-small"), name="tiny", file="tiny.model", sha256=None)
    shelf = Shelf(tmp_path / "shelf", {"tiny": entry})
    carried = tmp_path / "carried.model"
    torch.save({"state_dict": {"conv_blocks_context.0.0.conv1.weight": torch.zeros(16, 1, 3, 3, 3)}}, carried)
    shelf.import_file(carried)
    origin = find_origin("models:tiny", shelf)
    start = origin.start(4, {"a__GED4": "k"})
    assert start.checkpoint == shelf.path("tiny") and not start.keep_heads and origin.label == "models:tiny"
    shelf.path("tiny").write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="is damaged"):
        find_origin("models:tiny", shelf)


def test_what_is_nothing_to_begin_with_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="give a model folder, a checkpoint file, or models:NAME"):
        find_origin(tmp_path / "absent")
    with pytest.raises(BadInputError, match="holds no trained model to begin with"):
        find_origin(tmp_path)


def test_the_card_remembers_every_image_that_the_weights_have_learnt_from(tmp_path):
    given_cases = cases(tmp_path)
    splits = make_folds(given_cases, 2)
    seen = {fold: images_seen(given_cases, splits, fold) | {"from before"} for fold in (0, 1)}
    write_card(tmp_path / "m", "round1", load_preset("cpu"), "cps", given_cases, held_out_fold(splits), seen)
    card = read_card(tmp_path / "m")
    assert card["method"] == "cps"
    for fold in (0, 1):
        known = seen_by(card, str(fold))
        assert "from before" in known
        for case in given_cases:
            assert (image_key(case.image) in known) == (case.case_id in splits[fold].train)
    assert images_seen(given_cases, (), "all") == {image_key(case.image) for case in given_cases}
    assert read_card(tmp_path / "absent") == {}


def test_the_same_image_under_another_name_is_still_known(tmp_path):
    one = cases(tmp_path, 1)[0]
    copy = tmp_path / "elsewhere"
    copy.write_bytes(one.image.read_bytes())
    origin = find_origin(model(tmp_path / "m", ["all"], {"seen": {"all": [image_key(one.image)]}}))
    assert origin.start(0, {"other__T1": image_key(copy)}) is None
