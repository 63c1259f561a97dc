"""A comparison of methods: the statistics against other implementations, the tables, the page."""

import csv
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from LiverSegSSLLib.evaluate.report.comparison import ComparisonPage, render_comparison, result_tables, summary
from LiverSegSSLLib.evaluate.report.comparison_charts import comparison_png, comparison_svg
from LiverSegSSLLib.evaluate.report.comparison_rows import MEASURES, CellRow, write_records, write_rows
from LiverSegSSLLib.evaluate.report.comparison_summary import (
    difference,
    holm,
    interval,
    signed_rank,
    summarise_comparison,
)
from LiverSegSSLLib.evaluate.report.comparison_tables import (
    differences_table,
    markdown,
    means_table,
    p_text,
    summary_records,
    terminal_table,
)
from LiverSegSSLLib.evaluate.report.model import PHANTOM_LIMIT, Table
from Testing.unit.evaluate.test_report import Page

NAN = float("nan")
METHODS = ("supervised", "cps", "bcp")


def row(
    method: str, labelled: int, seed: int, case: int, dice: float, hd: float = 12.0, phase: str = "GED4"
) -> CellRow:
    seconds = {"supervised": 100.0, "cps": 210.0, "bcp": 150.0}[method] + seed
    case_id = f"S{case}__{phase}"
    return CellRow(method, labelled, seed, phase, case_id, "A", dice, hd, hd / 2, hd / 9, dice, hd != hd, seconds, 300)


def rows_of(cases: int = 8, seeds: int = 3, methods: tuple[str, ...] = METHODS, phase: str = "GED4") -> list[CellRow]:
    """CPS is better by about 0.02, BCP by nothing but chance."""
    rng = np.random.default_rng(1)
    gain = {"supervised": 0.0, "cps": 0.02, "bcp": 0.0}
    return [
        row(method, labelled, seed, case, 0.8 + labelled / 100 + gain[method] + rng.normal(0, 0.005), 12.0, phase)
        for method in methods
        for labelled in (2, 4)
        for seed in range(seeds)
        for case in range(cases)
    ]


def line_of(rows, method="cps", labelled=2):
    return next(one for one in summarise_comparison(rows) if (one.method, one.labelled) == (method, labelled))


# --- statistics -------------------------------------------------------------------------------------------------


def test_means_and_spreads_agree_with_pandas():
    import pandas as pd

    rows = rows_of()
    table = pd.DataFrame([vars(one) for one in rows])
    by_seed = table.groupby(["method", "labelled", "seed"])["dice"].mean()
    for one in summarise_comparison(rows):
        expected = by_seed.loc[one.method, one.labelled]
        assert one.means["dice"] == pytest.approx(tuple(expected))
        assert one.mean("dice") == pytest.approx(expected.mean())
        assert one.spread("dice") == pytest.approx(expected.std())
        assert (one.seeds, one.cases, one.empty) == (3, 8, 0)


def test_time_is_told_in_relation_to_supervised_training():
    assert line_of(rows_of()).seconds == pytest.approx(211) and line_of(rows_of()).relative == pytest.approx(211 / 101)
    assert math.isnan(line_of(rows_of(methods=("cps",))).relative)


def test_differences_are_by_pairs_of_seed_and_case():
    rows = rows_of()
    values = {(r.method, r.labelled, r.seed, r.case_id): r.dice for r in rows}
    pairs = np.array(
        [
            [values["cps", 2, s, f"S{c}__GED4"] - values["supervised", 2, s, f"S{c}__GED4"] for c in range(8)]
            for s in range(3)
        ]
    )
    found = line_of(rows).differences["dice"]
    assert found.mean == pytest.approx(pairs.mean())
    assert found.low < found.mean < found.high and found.low > 0
    # Eight cases all of one sign: p = 2 / 2^8, the smallest of four comparisons on this phase.
    assert stats.wilcoxon(pairs.mean(axis=0)).pvalue == pytest.approx(2 / 2**8)
    assert found.p == pytest.approx(4 * 2 / 2**8)
    assert line_of(rows, "bcp").differences["dice"].p > 0.05


def test_the_order_of_rows_does_not_matter_beyond_the_order_of_methods():
    rows = rows_of()
    turned = sorted(rows[::-1], key=lambda one: METHODS.index(one.method))
    for one, other in zip(summarise_comparison(rows), summarise_comparison(turned), strict=True):
        assert one.mean("dice") == pytest.approx(other.mean("dice"))
        assert dict(one.differences) == dict(other.differences)


def test_a_mask_without_a_voxel_has_no_pair_for_distances_but_counts_in_dice():
    rows = rows_of(cases=7)
    gone = next(place for place, one in enumerate(rows) if one.method == "cps")
    rows[gone] = replace(rows[gone], dice=0.0, empty=True, **dict.fromkeys(("hd_mm", "hd95_mm", "assd_mm"), NAN))
    one = line_of(rows)
    assert one.empty == 1 and one.means["dice"][0] < one.means["dice"][1]
    assert one.mean("hd_mm") == pytest.approx(12.0) and one.differences["hd_mm"].mean == pytest.approx(0.0)
    assert one.differences["hd_mm"].p == 1.0


def test_masks_that_are_all_empty_leave_dashes():
    rows = [replace(one, hd_mm=NAN) if one.method == "cps" else one for one in rows_of()]
    assert math.isnan(line_of(rows).mean("hd_mm")) and math.isnan(line_of(rows).differences["hd_mm"].p)
    assert means_table(summarise_comparison(rows), "GED4").rows[1][3] == "–"


def test_five_cases_are_too_few_to_speak_of_chance():
    """The least p of five pairs is 1/16; of six 1/32."""
    assert stats.wilcoxon(np.arange(1, 6)).pvalue == pytest.approx(0.0625)
    assert stats.wilcoxon(np.arange(1, 7)).pvalue == pytest.approx(0.03125)
    few, enough = line_of(rows_of(cases=5)).differences["dice"], line_of(rows_of(cases=6)).differences["dice"]
    assert few.mean == few.mean and all(map(math.isnan, (few.low, few.high, few.p)))
    assert enough.p <= 1 and enough.low < enough.high


def test_what_was_not_measured_by_both_has_no_pair():
    base = {(0, "a"): 0.5, (0, "b"): 0.6, (1, "a"): 0.5}
    assert difference({(0, "a"): 0.7, (1, "c"): 0.9, (1, "a"): 0.6}, base).mean == pytest.approx(0.15)
    assert math.isnan(difference({(2, "a"): 0.7}, base).mean)


def test_the_interval_is_that_of_scipys_bootstrap():
    """One seed: the resampling is over cases alone, as theirs."""
    sample = np.random.default_rng(3).normal(0.01, 0.02, (1, 30))
    theirs = stats.bootstrap(
        (sample[0],), np.mean, method="percentile", n_resamples=20000, rng=np.random.default_rng(4)
    ).confidence_interval
    assert interval(sample, 20000) == pytest.approx((theirs.low, theirs.high), abs=4e-4)


def test_the_interval_resamples_seeds_and_cases():
    """The same resamples one by one: rows and columns repeated, what is not known left out."""
    rng = np.random.default_rng(0)
    table = np.random.default_rng(5).normal(0, 1, (3, 7))
    table[1, 2] = NAN
    rows, columns = (rng.multinomial(side, np.full(side, 1 / side), 500) for side in table.shape)
    means = [
        np.nanmean(np.repeat(np.repeat(table, row, axis=0), column, axis=1))
        for row, column in zip(rows, columns, strict=True)
    ]
    assert interval(table, 500) == pytest.approx(tuple(np.percentile(means, [2.5, 97.5])))


def test_spread_over_seeds_widens_the_interval():
    cases = np.random.default_rng(6).normal(0.05, 0.01, (1, 12))
    same, apart = np.repeat(cases, 3, axis=0), cases + np.array([[-0.05], [0.0], [0.05]])
    (low, high), (lower, higher) = interval(same), interval(apart)
    assert lower < low and higher > high


def test_nothing_that_differs_is_chance():
    assert signed_rank(np.zeros(8)) == 1.0


def test_holm_by_hand():
    """Holm 1979: the smallest times m, the next times m − 1, never falling."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1) | st.just(NAN), max_size=8))
def test_holm_holds_for_all(values):
    adjusted = holm(values)
    known = [(p, a) for p, a in zip(values, adjusted, strict=True) if p == p]
    assert all(math.isnan(a) == math.isnan(p) for p, a in zip(values, adjusted, strict=True))
    assert all(p <= a <= 1 for p, a in known)
    assert [a for _, a in sorted(known)] == sorted(a for _, a in known)
    # The smallest is Bonferroni's.
    assert not known or min(a for _, a in known) == pytest.approx(min(1.0, len(known) * min(p for p, _ in known)))


def test_each_phase_is_a_family_of_its_own():
    alone = line_of(rows_of()).differences["dice"].p
    both = line_of([*rows_of(), *rows_of(phase="T2")]).differences["dice"].p
    assert both == alone


# --- tables and page --------------------------------------------------------------------------------------------


def test_tables_say_what_was_reached_and_how_far_that_is_from_supervised():
    lines = summarise_comparison(rows_of())
    means, differences = means_table(lines, "GED4"), differences_table(lines, "GED4")
    assert [cells[:2] for cells in means.rows] == [(k, m) for k in ("2", "4") for m in METHODS]
    assert means.rows[0][3] == "12.0 ± 0.0" and means.rows[1][-1] == "2.09"
    assert [cells[1] for cells in differences.rows] == ["cps", "bcp", "cps", "bcp"]
    assert differences.rows[0][2].startswith("+0.0") and "[" in differences.rows[0][2]
    assert differences_table(summarise_comparison(rows_of(methods=("cps",))), "GED4") is None
    shown = terminal_table(lines, "GED4")
    assert len(shown["columns"]) == len(shown["rows"][0]) and shown["rows"][0][5:7] == ["", ""]


def test_small_p_are_not_rounded_to_nothing():
    assert [p_text(p) for p in (0.0004, 0.0312, 1.0, NAN)] == ["<0.001", "0.031", "1.000", "–"]


def test_files_hold_every_number(tmp_path):
    rows = rows_of()
    rows[0] = replace(rows[0], hd_mm=NAN)
    write_rows(rows, tmp_path / "cells.csv")
    with (tmp_path / "cells.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert len(read) == len(rows) and read[0]["hd_mm"] == "" and float(read[1]["dice"]) == rows[1].dice
    lines = summarise_comparison(rows)
    write_records(*summary_records(lines), tmp_path / "summary.csv")
    with (tmp_path / "summary.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert [one["method"] for one in read] == [one.method for one in lines]
    for one, line in zip(read, lines, strict=True):
        for name in MEASURES:
            assert float(one[f"{name}_mean"]) == pytest.approx(line.mean(name))
        assert (one["dice_p"] == "") == (line.method == "supervised")


def test_markdown_is_a_table():
    text = markdown([Table("One", ("Name", "Number"), (("a|b", "1.5"), ("c", "–")), "A note.")])
    assert text == "## One\n\n| Name | Number |\n| --- | ---: |\n| a/b | 1.5 |\n| c | – |\n\nA note.\n"


def page_of(rows, **more) -> Page:
    given = (Table("Settings", ("Setting", "Value"), (("Preset", "cpu <b>"),)),)
    page = ComparisonPage("Comparison of methods", "data, GED4", "1 January", summarise_comparison(rows), (), given)
    return Page(render_comparison(replace(page, **more)))


def test_the_page_is_whole_and_refers_to_nothing_outside():
    page = page_of(rows_of(), limits=(PHANTOM_LIMIT,))
    assert page.open == []
    assert all(link.startswith("#") for link in page.links) and {"results", "given"} <= set(page.ids)
    assert PHANTOM_LIMIT in page.text and "cpu <b>" in page.text
    assert [tag for tag, _ in page.tags].count("table") == 3 and "svg" in [tag for tag, _ in page.tags]
    assert "script" not in [tag for tag, _ in page.tags]


def test_the_page_says_who_is_better_and_who_is_not():
    rows = [replace(one, dice=one.dice - 0.1) if one.method == "bcp" else one for one in rows_of()]
    first, second = summary(summarise_comparison(rows))
    assert first.startswith("GED4, 2 labelled – higher Dice than supervised: cps (+0.0")
    assert "not higher: bcp (-0.1" in first and "4 labelled" in second
    assert summary(summarise_comparison(rows_of(methods=("cps",)))) == ()


@pytest.mark.parametrize(
    ("cases", "seeds", "said"),
    [(5, 3, "Only 5 test cases"), (8, 1, "Only one seed"), (8, 2, "Only 2 seeds"), (8, 3, "")],
)
def test_few_cases_and_seeds_are_said_at_the_top(cases, seeds, said):
    text = page_of(rows_of(cases, seeds)).text
    assert (said in text) if said else "Only" not in text


def test_it_is_said_when_no_difference_could_be_told_from_chance():
    """Four comparisons: of six cases the least p is 4 · 2 / 2^6 = 0.125, of eight 0.031."""
    said = "4 comparisons and 6 test cases no adjusted p can be below 0.12"
    assert said in page_of(rows_of(cases=6)).text
    assert min(one.differences["dice"].p for one in summarise_comparison(rows_of(cases=6)) if one.differences) >= 0.125
    assert "no adjusted p" not in page_of(rows_of(cases=8)).text


def test_each_phase_has_its_own_tables_and_charts():
    lines = summarise_comparison([*rows_of(), *rows_of(phase="T2")])
    assert [table.title.split(":")[0] for table in result_tables(lines)] == ["GED4", "GED4", "T2", "T2"]
    assert comparison_svg(lines).count("T2: Dice") == 1


def test_charts_tell_methods_apart_and_take_the_colour_of_the_page():
    chart = comparison_svg(summarise_comparison(rows_of()))
    assert "currentColor" in chart and "#010203" not in chart and "<metadata" not in chart
    assert all(method in chart for method in METHODS) and "#e69f00" in chart and "#56b4e9" in chart
    assert comparison_svg(()) == ""


def test_the_picture_can_be_read(tmp_path):
    from PIL import Image

    (tmp_path / "chart.png").write_bytes(comparison_png(summarise_comparison(rows_of(seeds=1))))
    pixels = np.asarray(Image.open(tmp_path / "chart.png").convert("RGB")).astype(int)
    orange = np.abs(pixels - [0xE6, 0x9F, 0x00]).sum(-1) < 30
    assert orange.sum() > 200 and (pixels[0] == 255).all()


def test_nothing_heavy_is_loaded_before_it_is_needed():
    code = (
        "import sys, LiverSegSSLLib.evaluate.report.comparison;"
        "print([m for m in ('torch','SimpleITK','matplotlib','pandas','scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
