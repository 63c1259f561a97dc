"""The store of features: what went in comes out, within the bound, whatever was killed or damaged."""

import os

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from LiverSegSSLLib.errors import BadInputError
from LiverSegSSLLib.propose.few_shot.features import FeatureStore, SliceFeatures, Stack, checksum, encode, fill_keys

from .small import SIDE, noise

MEGABYTE = 2**18
"""float32 numbers in a megabyte."""


def entry(value, megabytes=1.0):
    return {"0": torch.full((int(megabytes * MEGABYTE),), float(value))}


def test_what_was_used_last_stays():
    store = FeatureStore(memory_mb=2.5)
    store.put("a", entry(1))
    store.put("b", entry(2))
    assert store.get("a") is not None
    store.put("c", entry(3))
    assert store.get("b") is None
    assert store.get("a")["0"][0] == 1 and store.get("c")["0"][0] == 3


def test_an_entry_larger_than_all_of_the_store_is_not_kept(tmp_path):
    store = FeatureStore(memory_mb=0.5, folder=tmp_path, disk_mb=0.5)
    store.put("a", entry(1))
    assert store.get("a") is None and len(store) == 0
    assert not list(tmp_path.rglob("*.features"))


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0.01, 1.0)), max_size=20))
def test_memory_never_exceeds_the_bound(steps):
    store, bound = FeatureStore(memory_mb=2.0), 2.0 * 4 * MEGABYTE
    for key, megabytes in steps:
        store.put(str(key), entry(key, megabytes))
        kept = [store._kept[name]["0"] for name in store._kept]
        assert sum(tensor.numel() * 4 for tensor in kept) == store._bytes <= bound


def test_another_process_finds_them_on_disk(tmp_path):
    FeatureStore(folder=tmp_path).put("abc", {"0": torch.arange(3, dtype=torch.bfloat16), "1": torch.ones(2, 2)})
    found = FeatureStore(folder=tmp_path).get("abc")
    assert torch.equal(found["0"], torch.arange(3, dtype=torch.bfloat16)) and torch.equal(found["1"], torch.ones(2, 2))


def test_the_folder_keeps_to_its_bound_by_the_time_of_use(tmp_path):
    store = FeatureStore(memory_mb=0, folder=tmp_path, disk_mb=2.5)
    for number, key in enumerate("abc"):
        store.put(key, entry(number))
        for path in tmp_path.rglob(f"{key}.features"):
            os.utime(path, (1000 + number, 1000 + number))
    # a is the oldest and went when c came; b is looked at again, so that c goes when d comes.
    assert {path.stem for path in tmp_path.rglob("*.features")} == {"b", "c"}
    assert store.get("b") is not None
    store.put("d", entry(4))
    assert {path.stem for path in tmp_path.rglob("*.features")} == {"b", "d"}


@pytest.mark.parametrize("content", [b"", b"rubbish", b"PK\x03\x04", None], ids=["empty", "rubbish", "half", "other"])
def test_a_damaged_file_is_as_good_as_none(tmp_path, content):
    FeatureStore(folder=tmp_path).put("a", entry(1))
    (path,) = tmp_path.rglob("*.features")
    if content is None:
        torch.save({"0": "no tensor"}, path)
    else:
        path.write_bytes(content)
    store = FeatureStore(folder=tmp_path)
    assert store.get("a") is None and not path.exists()
    store.put("a", entry(2))
    assert store.get("a")["0"][0] == 2


def test_later_changes_do_not_reach_the_store():
    store, tensor = FeatureStore(), torch.zeros(3)
    store.put("a", {"0": tensor})
    tensor += 1
    assert store.get("a")["0"].sum() == 0


def test_only_new_slices_are_run_and_come_back_in_their_places():
    runs, store = [], FeatureStore()

    def run(pixels):
        runs.append(len(pixels))
        return [pixels[:, :1, ::2, ::2], pixels.mean((2, 3), keepdim=True)]

    images = noise(5, 1)
    first = encode(Stack(images), run, store, size=SIDE, batch=2, identity="w")
    mixed = torch.cat([noise(2, 9), images[[4, 0]]])
    second = encode(Stack(mixed), run, store, size=SIDE, batch=3, identity="w")
    assert runs == [2, 2, 1, 2]
    assert torch.equal(first.levels[0], images[:, :1, ::2, ::2])
    assert torch.equal(second.levels[0], mixed[:, :1, ::2, ::2])
    encode(Stack(images), run, store, size=SIDE, batch=5, identity="other weights")
    assert runs[-1] == 5


class Counted(Stack):
    """Counts the slices that are asked for."""

    asked = 0

    def pixels(self, size, slices=None):
        type(self).asked += len(self) if slices is None else len(slices)
        return super().pixels(size, slices)


def test_slices_whose_keys_are_known_are_not_even_resized():
    store, Counted.asked = FeatureStore(), 0

    def run(pixels):
        return [pixels.mean((2, 3), keepdim=True)]

    images = Counted(noise(5, 1))
    keys = [None] * 5
    first = encode(images, run, store, size=SIDE, batch=2, identity="w", keys=keys)
    assert Counted.asked == 5 and len(set(keys)) == 5
    again = encode(images, run, store, size=SIDE, batch=3, identity="w", keys=keys)
    assert fill_keys(images, keys, size=SIDE, identity="w") == keys and Counted.asked == 5
    assert torch.equal(first.levels[0], again.levels[0])
    # What the store has lost is resized and run again, under the same key.
    del store._kept[keys[3]]
    lost = encode(images, run, store, size=SIDE, batch=5, identity="w", keys=keys)
    assert Counted.asked == 6 and torch.equal(first.levels[0], lost.levels[0])
    assert fill_keys(Stack(images.images), [None] * 5, size=SIDE, identity="w") == keys


def test_slices_taken_in_any_order_and_more_than_once():
    features = SliceFeatures((torch.arange(4.0).view(4, 1, 1, 1), torch.arange(8.0).view(4, 2, 1, 1)))
    fine, coarse = features.take([3, 0, 3], "cpu")
    assert fine.flatten().tolist() == [3, 0, 3] and coarse[0].flatten().tolist() == [6, 7]
    assert len(features) == 4 and features.bytes == 48


def test_slices_of_another_size_are_refused():
    with pytest.raises(BadInputError, match=r"\(3, 128, 128\)"):
        Stack(noise(1, 1)).pixels(128)


def test_a_checksum_sees_values_shapes_and_kinds():
    one = torch.zeros(2, 3)
    sums = [
        checksum([one]),
        checksum([one.T]),
        checksum([one.to(torch.bfloat16)]),
        checksum([one + 1]),
        checksum([1, one]),
    ]
    assert len(set(sums)) == 5
    assert checksum([one.T.contiguous().T]) == sums[0]
