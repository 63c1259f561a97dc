"""The engine at its limits: no memory left, bad input, progress and cancel; nothing encoded twice."""

import pytest
import torch

from LiverSegSSLLib.errors import BadInputError, Cancelled, LabelError, LiverSegError
from LiverSegSSLLib.propose.few_shot.engine import Engine
from LiverSegSSLLib.propose.few_shot.features import FeatureStore, Stack

from .small import SIDE, blob, fast, lively_network, masks_of, noise, shared_network


@pytest.mark.parametrize("kind", [torch.OutOfMemoryError, RuntimeError], ids=["cuda", "cpu"])
def test_out_of_memory_halves_the_batch_and_goes_on(kind):
    network, case = lively_network(0), noise(5, 1)
    support = (noise(4, 2), masks_of({1, 2}, 1, 3))
    expected = fast(Engine(network), case, [support], [[0, 2, 3, 5]])[0]
    refused = []

    def refuse(_, inputs):
        if len(inputs[0]) > 2:
            refused.append(len(inputs[0]))
            raise kind("CUDA out of memory. DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    handle = network.memory_encoder.register_forward_pre_hook(refuse)
    try:
        found = fast(Engine(network, batch=6), case, [support], [[0, 2, 3, 5]])[0]
    finally:
        handle.remove()
    assert (found - expected).abs().max() < 1e-2
    assert refused and max(refused) <= 6


def test_encoding_also_goes_on_with_less_at_once():
    network, images, masks = lively_network(0), noise(5, 1), masks_of({0, 1, 3, 4}, 1, 3)
    expected = fast(Engine(network), images, [(images, masks)], [[2]])[0]
    sizes = []

    def refuse(_, inputs):
        sizes.append(len(inputs[0]))
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    network.image_encoder.register_forward_pre_hook(refuse)
    network.mask_downsample.register_forward_pre_hook(refuse)
    found = fast(Engine(network, batch=8), images, [(images, masks)], [[2]])[0]
    assert (found - expected).abs().max() < 1e-2
    assert sizes[:3] == [5, 4, 2] and 4 in sizes[3:]


def test_a_slice_that_does_not_fit_at_all_is_said():
    network = lively_network(0)
    engine = Engine(network)
    features = engine.encode(Stack(noise(3, 1)))
    support = engine.support(features, {1: blob(1)})

    def refuse(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.\nlong story")

    network.memory_encoder.register_forward_pre_hook(refuse)
    with pytest.raises(LiverSegError, match=r"does not fit into the memory of cpu.*smaller network") as caught:
        engine.propagate(features, [support], [[1]])
    assert "\n" not in str(caught.value)


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    network = lively_network(0)
    engine = Engine(network)
    features = engine.encode(Stack(noise(3, 1)))
    support = engine.support(features, {1: blob(1)})

    def fail(*_):
        raise RuntimeError("shapes do not match")

    network.memory_encoder.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        engine.propagate(features, [support], [[1]])


def test_features_of_a_slice_are_computed_once():
    network = lively_network(0)
    calls = []
    network.image_encoder.register_forward_pre_hook(lambda _, inputs: calls.append(len(inputs[0])))
    engine = Engine(network)
    images = noise(5, 1)
    engine.encode(Stack(images))
    engine.encode(Stack(images.flip(0)))
    engine.encode(Stack(torch.cat([images[:2], noise(1, 9)])))
    assert sum(calls) == 6


def test_progress_is_told_and_a_cancel_is_heeded():
    engine = Engine(shared_network())
    features = engine.encode(Stack(noise(4, 1)))
    support = engine.support(features, {1: blob(1)})
    told = []
    engine.propagate(features, [support], [[0, 1, 4]], told.append)
    assert sum(told) == 3 * 4

    def cancel(_):
        raise Cancelled("the user stopped")

    with pytest.raises(Cancelled):
        engine.propagate(features, [support], [[0, 1, 4]], cancel)


def test_what_cannot_be_propagated_is_refused():
    engine = Engine(shared_network())
    features = engine.encode(Stack(noise(3, 1)))
    empty = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    with pytest.raises(LabelError, match="labelled on no slice"):
        engine.support(features, {0: empty, 1: empty})
    with pytest.raises(LabelError, match="no labelled slice"):
        engine.support(features, {})
    with pytest.raises(BadInputError, match="no slice 3 in a volume of 3"):
        engine.track(features, {3: blob(1)})
    support = engine.support(features, {1: blob(1)})
    with pytest.raises(BadInputError, match="before slice 4 of a volume of 3"):
        engine.propagate(features, [support], [[4]])


def test_settings_that_no_network_has_are_refused():
    network = lively_network(0)
    network.memory_temporal_stride_for_eval = 2
    with pytest.raises(BadInputError, match="memory_temporal_stride_for_eval"):
        Engine(network)


@pytest.mark.parametrize(("length", "labelled"), [(4, {1}), (20, {5, 6, 9})], ids=["short", "long"])
def test_a_support_comes_back_from_the_store(tmp_path, length, labelled):
    """In another process: nothing is encoded again, and it propagates as before."""
    network, case = lively_network(0), noise(4, 1)
    images, masks = Stack(noise(length, 2)), masks_of(labelled, 2, 3)
    first = Engine(network, store=FeatureStore(folder=tmp_path))
    support, features = first.support_of(images, masks), first.encode(Stack(case))
    expected = first.propagate(features, [support], [[1, 3]])[0]
    second = Engine(network, store=FeatureStore(folder=tmp_path))

    def refuse(*_):
        raise AssertionError("encoded again")

    handles = [part.register_forward_pre_hook(refuse) for part in (network.image_encoder, network.mask_downsample)]
    kept = second.support_of(images, masks)
    for handle in handles:
        handle.remove()
    assert torch.equal(second.propagate(features, [kept], [[1, 3]])[0], expected)
    other = second.support_of(images, masks_of(labelled, 2, 4))
    assert not torch.equal(other.objects[0].memory, kept.objects[0].memory)


def test_less_memory_means_fewer_chains_and_never_none():
    network = shared_network()
    support = Engine(network).support(Engine(network).encode(Stack(noise(3, 1))), {1: blob(1)})
    sizes = [
        [Engine(network, memory_mb=megabytes, factored=factored)._batch([support], 5) for megabytes in (0.01, 10, 1000)]
        for factored in (False, True)
    ]
    for smallest, middle, largest in sizes:
        assert smallest == 1 < middle < largest
