"""Fuzzing: whatever bytes an image, a table, a marker or a recipe consists of, the answer is one line of our own.

Each example must end in a result or in a :class:`~LiverSegSSLLib.errors.LiverSegError`, within two seconds, and without
asking for memory beyond :data:`~Testing.bad_input.test_images.MEMORY`. ``make test`` tries a few hundred, the slow run
tens of thousands; the number of executions stands in the output of ``pytest -s``.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from LiverSegSSLLib.cohort.care import _read_info
from LiverSegSSLLib.cohort.manifest import draft_manifest
from LiverSegSSLLib.errors import LiverSegError
from LiverSegSSLLib.labels.marker import read_marker
from LiverSegSSLLib.rounds.recipe import parse_recipe
from LiverSegSSLLib.rounds.state import RunState
from LiverSegSSLLib.volume import read_header, read_volume
from Testing.bad_input.test_images import little_memory
from Testing.bad_input.writers import body_and_liver, metaimage, nifti, nrrd, packed

SMALL = body_and_liver()[0][:4, :6, :5]
SEEDS = {
    ".nii": nifti(SMALL),
    ".nii.gz": packed(nifti(SMALL)),
    ".nrrd": nrrd(SMALL),
    "packed.nrrd": nrrd(SMALL, "gzip"),
    ".mha": metaimage(SMALL),
    "packed.mha": metaimage(SMALL, compressed=True),
}
RECIPE = b"""name: mine
phases: [GED4, T1]
rounds: 2
propose: [{method: transfer, options: {model: rigid}}]
score: {entropy: {}}
select: {keep: 0.5}
learn: {preset: cpu, folds: 2, options: {epochs: 3}}
"""
TABLE = b"study,phase,image,label,organs\nP1,GED4,a.nii.gz,b.nii.gz,liver=1;spleen=2\nP2,T1,c.nii.gz,,\n"
INFO = b"Case,Vendor,Missing Modality\n0001-A-S1,A,T2\n0002-A-S2,A,\n"
MARKER = b'{"workspace": "0123", "ledger": "sqlite"}'
STATE = b'{"schema": 1, "stages": {"a": {"digest": "0", "output": {}, "seconds": 1, "order": 0}}}'
WORDS = tuple(set(re.findall(rb"[\w./-]+", b" ".join([*list(SEEDS.values())[2::2], RECIPE, TABLE, STATE]))))[:200]
NASTY = (
    b"-1",
    b"0",
    b"nan",
    b"1e400",
    b"9" * 30,
    b"\0",
    b"\xff",
    b"[" * 500,
    b"../",
    b"&a",
    b"*a",
    b"!!python/name:os",
)

executions: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def told() -> Iterator[None]:
    yield
    print("\nfuzzing executions:", dict(sorted(executions.items())), "in all", executions.total())


@st.composite
def damaged(draw: st.DrawFn, seed: bytes) -> bytes:
    """A file with up to eight changes: bytes turned, cut, doubled, overwritten by others or by nasty words."""
    content = bytearray(seed)
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, max(len(content) - 1, 0)))
        match draw(st.sampled_from(["turn", "write", "cut", "double", "word", "nasty", "end"])):
            case "turn" if content:
                content[at] ^= 1 << draw(st.integers(0, 7))
            case "write":
                content[at : at + 4] = draw(st.binary(max_size=8))
            case "cut":
                del content[at : at + draw(st.integers(1, 64))]
            case "double":
                content[at:at] = content[at : at + draw(st.integers(1, 64))]
            case "word":
                content[at:at] = draw(st.sampled_from(WORDS))
            case "nasty":
                content[at : at + draw(st.integers(0, 12))] = draw(st.sampled_from(NASTY))
            case "end":
                del content[at:]
    return bytes(content)


def header_only(seed: bytes, size: int) -> st.SearchStrategy[bytes]:
    """Changes of the header alone, where most of the decisions are."""
    return damaged(seed[:size]).map(lambda head: head + seed[size:])


def fields_changed() -> st.SearchStrategy[bytes]:
    """NIfTI headers whose fields hold anything."""
    number = st.floats(width=32)
    short = st.integers(-(2**15), 2**15 - 1)
    fields = {
        **{f"dim__{axis}": short for axis in range(8)},
        **{f"pixdim__{axis}": number for axis in range(4)},
        **{name: number for name in ("vox_offset", "scl_slope", "scl_inter", "quatern_b", "quatern_c", "qoffset_x")},
        **{name: short for name in ("datatype", "bitpix", "qform_code", "sform_code")},
        "xyzt_units": st.integers(0, 255),
        "srow_x": st.lists(number, min_size=4, max_size=4),
    }
    chosen = st.lists(st.sampled_from(sorted(fields)), max_size=4, unique=True)
    return chosen.flatmap(
        lambda names: st.fixed_dictionaries({name: fields[name] for name in names}).map(
            lambda changes: nifti(SMALL, **changes)
        )
    )


def image(path: Path) -> None:
    """Both ways to read an image; what they agree to read they must agree about."""
    header = read_header(path)
    volume = read_volume(path)
    assert volume.geometry == header.geometry and volume.array.dtype.kind in "iuf"


def recipe(path: Path) -> None:
    parse_recipe(path.read_bytes().decode("utf-8", "replace"), path.name)


def info(path: Path) -> None:
    with suppress(OSError, UnicodeDecodeError, KeyError, csv.Error):  # what its caller answers
        _read_info(path)


TARGETS: dict[str, tuple[str, Callable[[Path], object], st.SearchStrategy[bytes]]] = {
    **{f"bytes of {name}": (name, image, damaged(seed)) for name, seed in SEEDS.items()},
    "header of .nii": (".nii", image, header_only(SEEDS[".nii"], 352)),
    "header of .nrrd": (".nrrd", image, header_only(SEEDS[".nrrd"], SEEDS[".nrrd"].index(b"\n\n"))),
    "header of .mha": (".mha", image, header_only(SEEDS[".mha"], SEEDS[".mha"].index(b"LOCAL"))),
    "header of packed .nii": (".nii.gz", image, header_only(SEEDS[".nii"], 352).map(packed)),
    "fields of .nii": (".nii", image, fields_changed()),
    "recipe": ("mine.yaml", recipe, damaged(RECIPE)),
    "table": ("cohort.csv", draft_manifest, damaged(TABLE)),
    "info.csv": ("info.csv", info, damaged(INFO)),
    "marker": (".liversegssl", lambda path: read_marker(path.parent), damaged(MARKER)),
    "state": ("state.json", RunState, damaged(STATE)),
}


def fuzz(target: str, examples: int, folder: Path) -> None:
    name, read, contents = TARGETS[target]
    path = folder / (f"image{name.removeprefix('packed')}" if name.startswith((".n", ".m", "packed")) else name)

    @settings(
        max_examples=examples,
        deadline=timedelta(seconds=2),
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(contents)
    def one(content: bytes) -> None:
        executions[target] += 1
        path.write_bytes(content)
        try:
            with little_memory():
                read(path)
        except LiverSegError as error:
            assert "\n" not in str(error) and str(error).isprintable()

    one()


@pytest.mark.parametrize("target", TARGETS)
def test_a_few_hundred_changes_are_answered(target: str, tmp_path: Path) -> None:
    fuzz(target, 25, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_thousands_of_changes_are_answered(target: str, tmp_path: Path) -> None:
    fuzz(target, 3000, tmp_path)
