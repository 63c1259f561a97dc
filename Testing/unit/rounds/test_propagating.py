"""Carrying corrected slices as a job: the same as the call, by way of files."""

import numpy as np
import pytest

from LiverSegSSLLib.errors import GeometryError
from LiverSegSSLLib.events import Event, Reporter
from LiverSegSSLLib.propose.slices import propagate
from LiverSegSSLLib.rounds.propagating import propagate_slices
from LiverSegSSLLib.volume import Geometry, Volume, read_mask, write_volume

GRID = Geometry((24, 22, 12), (1.0, 1.0, 3.0), (-7.0, 3.0, 11.0), (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0))


def ball(radius, shift=0.0):
    z, y, x = np.indices(GRID.shape)
    distance = np.sqrt((3 * (z - 5.5)) ** 2 + (y - 11) ** 2 + (x - 11 - shift) ** 2)
    return Volume((distance <= radius).astype(np.uint8), GRID)


@pytest.fixture
def parameters(tmp_path):
    previous, drawn = ball(8), ball(8)
    drawn.array[[3, 7]] = ball(8, 2.5).array[[3, 7]]
    for name, mask in (("previous", previous), ("drawn", drawn)):
        write_volume(mask, tmp_path / f"{name}.nii")
    image = tmp_path / "image.nii.gz"
    write_volume(Volume(previous.array.astype(np.int16) * 100, GRID), image)
    return {
        "image": str(image),
        "drawn": str(tmp_path / "drawn.nii"),
        "previous": str(tmp_path / "previous.nii"),
        "slices": [3, 7],
        "axis": 0,
        "output": str(tmp_path / "mask.nii"),
    }


def test_the_job_gives_what_the_call_gives(parameters, tmp_path):
    result = propagate_slices(parameters, Reporter())
    drawn, previous = read_mask(tmp_path / "drawn.nii"), read_mask(tmp_path / "previous.nii")
    expected = propagate(drawn, {3: drawn.array[3], 7: drawn.array[7]}, previous=previous)
    found = read_mask(tmp_path / "mask.nii", GRID)
    np.testing.assert_array_equal(found.array, expected.labels.array)
    assert (result["note"], result["method"]) == (expected.note, "correction")
    assert tuple(result["changed"]) == expected.changed and 5 in result["changed"]


def test_without_an_earlier_label_the_shapes_between_are_interpolated(parameters, tmp_path):
    empty = ball(0)
    empty.array[:] = 0
    empty.array[[3, 7]] = ball(8).array[[3, 7]]
    write_volume(empty, tmp_path / "drawn.nii")
    result = propagate_slices({**parameters, "previous": None}, Reporter())
    assert result["method"] == "interpolation" and result["changed"] == [4, 5, 6]


def test_without_the_weights_the_network_is_left_out_and_it_is_said_why(parameters, monkeypatch, tmp_path):
    monkeypatch.setenv("LIVERSEGSSL_MODELS", str(tmp_path / "no-models"))
    said: list[Event] = []
    result = propagate_slices({**parameters, "network": True, "device": "cpu"}, Reporter(said.append))
    assert result["method"] == "correction"
    (event,) = said
    assert event.message.startswith("without the network: ") and "models fetch" in event.message


def test_an_earlier_label_on_another_grid_is_refused(parameters, tmp_path):
    moved = Geometry(GRID.size, GRID.spacing, (0.0, 0.0, 0.0), GRID.direction)
    write_volume(Volume(ball(8).array, moved), tmp_path / "previous.nii")
    with pytest.raises(GeometryError, match="not on its image's grid"):
        propagate_slices(parameters, Reporter())
