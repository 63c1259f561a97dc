"""Rows from files, their CSV and their summaries."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from LiverSegSSLLib.cohort.study import Case, Phase
from LiverSegSSLLib.errors import BadInputError
from LiverSegSSLLib.evaluate.masks import MaskPair, domain_of, evaluate_masks
from LiverSegSSLLib.evaluate.tables import frame, moments, read_csv, summarise, write_csv
from LiverSegSSLLib.types import MetricRow
from LiverSegSSLLib.volume import Geometry, Volume, write_volume

NAN = float("nan")


def row(case: str, phase="T2", vendor="A", domain="ID", source="model", dice=0.9, hd=10.0, empty=False) -> MetricRow:
    return MetricRow(f"{case}__{phase}", case, phase, vendor, domain, source, dice, hd, hd / 2, hd / 10, dice, empty)


def test_care_averages_over_cases_not_over_domains():
    """The abstract of SSL-MedSAM2 from its leaderboard: 120 cases ID and 70 OOD (METHODS 3)."""
    rows = [row(f"i{n}", domain="ID", dice=0.9684, hd=22.97) for n in range(120)]
    rows += [row(f"o{n}", domain="OOD", vendor="C", dice=0.9754, hd=15.11) for n in range(70)]
    (both,) = summarise(rows, by=())
    assert round(both.measures["dice"].mean, 4) == 0.9710
    assert round(both.measures["hd_mm"].mean, 2) == 20.07
    domains = {one.group["domain"]: one for one in summarise(rows, by=("domain",))}
    assert domains["ID"].cases == 120 and domains["OOD"].cases == 70
    assert domains["OOD"].measures["dice"].mean == pytest.approx(0.9754)


def test_an_empty_mask_counts_for_dice_and_is_said_for_distances():
    rows = [row("a", dice=0.9, hd=10), row("b", dice=0.7, hd=20), row("c", dice=0.0, hd=NAN, empty=True)]
    (summary,) = summarise(rows)
    assert (summary.cases, summary.empty) == (3, 1)
    assert summary.measures["dice"].mean == pytest.approx(1.6 / 3)
    assert summary.measures["hd_mm"].mean == 15 and summary.measures["hd_mm"].missing == 1
    assert summary.measures["hd_mm"].sd == pytest.approx(np.std([10, 20], ddof=1))


def test_groups_come_in_clinical_order():
    rows = [row("a", phase, source=source) for source in ("proposal", "model") for phase in ("DWI", "T2", "GED4")]
    groups = [tuple(one.group.values()) for one in summarise(rows)]
    assert groups == [(s, p) for s in ("proposal", "model") for p in ("GED4", "T2", "DWI")]


def test_summaries_agree_with_pandas():
    rows = [row(f"s{n}", phase, dice=n / 10, hd=n) for n in range(1, 6) for phase in ("T1", "T2")]
    table = frame(rows).groupby("phase")["dice"].agg(["mean", "std", "median"])
    for one in summarise(rows, by=("phase",)):
        found = one.measures["dice"]
        assert (found.mean, found.sd, found.median) == pytest.approx(tuple(table.loc[one.group["phase"]]))


def test_a_number_is_written_as_in_a_paper():
    assert moments([0.9, 0.94]).text() == "0.920 ± 0.028"
    assert moments([0.9]).text() == "0.900"
    assert moments([NAN]).text() == "–"


@given(
    st.lists(
        st.builds(row, st.text("abc", min_size=1), dice=st.floats(0, 1), hd=st.floats(0, 500) | st.just(NAN)),
        max_size=5,
    )
)
def test_csv_gives_back_what_it_was_given(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    write_csv(rows, path)
    assert list(map(repr, read_csv(path))) == list(map(repr, rows))


def test_no_half_written_file_stays(tmp_path):
    write_csv([row("a")], tmp_path / "new" / "rows.csv")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["rows.csv"]


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "\0"])
def test_something_else_than_a_table_is_said_in_one_line(tmp_path, text):
    path = tmp_path / "rows.csv"
    path.write_text(text)
    with pytest.raises(BadInputError, match="not a table of metrics"):
        read_csv(path)


def test_domains():
    assert [domain_of(vendor) for vendor in ("A", "B1", "B2", "C", "Siemens", "")] == ["ID", "ID", "ID", "OOD", "", ""]
    assert [domain_of(vendor, {"Siemens"}) for vendor in ("Siemens", "GE", "")] == ["ID", "OOD", ""]


class TestFiles:
    geometry = Geometry((12, 10, 6), (1.5, 1.5, 4.0), (10.0, -20.0, 5.0))

    def pair(self, folder: Path, name: str, shift: int = 0, geometry: Geometry | None = None) -> MaskPair:
        truth = np.zeros(self.geometry.shape, np.uint8)
        truth[1:5, 2:8, 2:8] = 1
        mask = np.roll(truth, shift, axis=2) if shift < 9 else np.zeros_like(truth)
        write_volume(Volume(truth, self.geometry), folder / "truth" / f"{name}.nii.gz")
        write_volume(Volume(mask, geometry or self.geometry), folder / "masks" / f"{name}.nii.gz")
        case = Case(name, Phase.T2, folder / "image.nii.gz", vendor="C")
        return MaskPair(
            case, folder / "masks" / f"{name}.nii.gz", folder / "truth" / f"{name}.nii.gz", "model", seconds=2.0
        )

    def test_one_bad_pair_does_not_stop_the_others(self, tmp_path):
        elsewhere = replace(self.geometry, origin=(13.0, -20.0, 5.0))
        pairs = [
            self.pair(tmp_path, "a"),
            self.pair(tmp_path, "b", geometry=elsewhere),
            self.pair(tmp_path, "c", shift=1),
        ]
        pairs.append(replace(pairs[0], truth=tmp_path / "missing.nii.gz"))
        pairs.append(self.pair(tmp_path, "d", shift=9))
        done = evaluate_masks(pairs)
        assert [one.study for one in done.rows] == ["a", "c", "d"]
        assert [one.dice for one in done.rows] == [1.0, pytest.approx(5 / 6), 0.0]
        assert done.rows[1].hd_mm == pytest.approx(1.5)
        assert (done.rows[0].domain, done.rows[0].seconds) == ("OOD", 2.0)
        assert done.rows[2].empty and math.isnan(done.rows[2].hd_mm)
        assert len(done.problems) == 2
        assert "b__T2 (model)" in str(done.problems[0]) and "up to 3 mm apart" in str(done.problems[0])
        assert "no such file" in str(done.problems[1])

    def test_workers_do_not_change_the_rows(self, tmp_path):
        pairs = [self.pair(tmp_path, name, shift) for shift, name in enumerate("abc")]
        with ThreadPoolExecutor(2) as executor:
            assert evaluate_masks(pairs, executor) == evaluate_masks(pairs)
