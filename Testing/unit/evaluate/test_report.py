"""The report: one file, complete, honest, and readable whatever is in it."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from LiverSegSSLLib.evaluate.report.charts import curve_chart, dice_chart
from LiverSegSSLLib.evaluate.report.model import (
    PHANTOM_LIMIT,
    CasePicture,
    Curve,
    QueueRow,
    Report,
    Step,
    Table,
)
from LiverSegSSLLib.evaluate.report.montage import write_montage
from LiverSegSSLLib.evaluate.report.render import render_report, write_report
from LiverSegSSLLib.evaluate.report.results import case_line, duration, metric_tables
from LiverSegSSLLib.types import MetricRow
from LiverSegSSLLib.volume import Geometry, Volume, write_volume

NAN = float("nan")
GEOMETRY = Geometry((60, 48, 16), (3.0, 3.0, 6.0), (-90.0, -70.0, -50.0))
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}


class Page(HTMLParser):
    """Reads a page as a browser would, and remembers what a test wants to know."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append((tag, given))
        if "id" in given:
            self.ids.append(given["id"])
        self.links += [given[key] for key in ("href", "src", "xlink:href") if key in given]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        self.text += data


def row(case_id: str, source: str, dice: float, hd: float = 12.34, empty: bool = False, vendor: str = "A") -> MetricRow:
    study, phase = case_id.split("__")
    return MetricRow(case_id, study, phase, vendor, "ID", source, dice, hd, hd / 2, hd / 9, dice, empty)


@pytest.fixture
def picture(tmp_path: Path) -> CasePicture:
    z, y, x = np.mgrid[:16, :48, :60]
    liver = ((z - 8) / 6) ** 2 + ((y - 22) / 14) ** 2 + ((x - 22) / 15) ** 2 < 1
    rng = np.random.default_rng(0)
    write_volume(
        Volume((100 * liver + rng.normal(60, 5, liver.shape)).astype(np.int16), GEOMETRY), tmp_path / "i.nii.gz"
    )
    write_volume(Volume(liver.astype(np.uint8), GEOMETRY), tmp_path / "truth.nii.gz")
    write_volume(Volume(np.roll(liver, 2, 2).astype(np.uint8), GEOMETRY), tmp_path / "model.nii.gz")
    chance = np.clip(0.5 + (1 - np.sqrt(((z - 8) / 6) ** 2 + ((y - 22) / 14) ** 2 + ((x - 22) / 15) ** 2)) * 2, 0, 1)
    write_volume(Volume(chance.astype(np.float32), GEOMETRY), tmp_path / "p.nii.gz")
    contours = {"model": tmp_path / "model.nii.gz", "truth": tmp_path / "truth.nii.gz"}
    return CasePicture("S1__T2", tmp_path / "i.nii.gz", contours, tmp_path / "p.nii.gz", "vendor A", "2 parts", (8, 3))


@pytest.fixture
def report(picture: CasePicture) -> Report:
    return Report(
        "A run",
        "recipe demo",
        "1 January 2026",
        summary=("1 study.",),
        limits=(PHANTOM_LIMIT,),
        given=(Table("Studies", ("Study", "Phases"), (("S1", "2"),)),),
        steps=(Step("propose", 95.0, "one proposal"), Step("train", 285.0, "one fold")),
        rows=(
            row("S1__T2", "proposal", 0.81),
            row("S1__T2", "model", 0.91),
            row("S2__T2", "model", 0, NAN, empty=True),
        ),
        tables=(Table("Times", ("Case", "Seconds"), (("S1__T2", "3.2 s"),)),),
        queue=(QueueRow(1, "S1__T2", "T2: 2 parts", (8, 3)), QueueRow(2, "S2__T2", "T2: the mask is empty")),
        cases=(picture,),
        curves=(Curve("fold 0", (0.0, 1.0, 2.0), {"training loss": (1.0, 0.5, 0.3), "agreement": (0.1, 0.6, NAN)}),),
        problems=("S3: no GED4",),
        notes=("Seed 0.",),
    )


def test_it_says_everything_it_was_given(report):
    text = Page(render_report(report)).text
    for part in (
        *("A run", "recipe demo", PHANTOM_LIMIT, "1 study.", "6 min 20 s in all", "4 min 45 s", "0.810", "0.455"),
        *(
            "T2: the mask is empty",
            "9, 4",
            "proposal: Dice 0.810, HD 12.3 mm · model: Dice 0.910",
            "S3: no GED4",
            "Seed 0.",
        ),
        *("slice 9 of 16", "most doubtful", "fold 0", "It is not accuracy"),
    ):
        assert part in text, part


def test_it_needs_nothing_from_outside(report):
    html = render_report(report)
    page = Page(html)
    assert page.links and all(link.startswith(("#", "data:")) for link in page.links)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert not re.search(r"@import|url\((?!#)|<script|<link", html)


def test_the_page_is_well_formed(report):
    page = Page(render_report(report))
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert all("scope" in given for tag, given in page.tags if tag == "th")
    drawings = [given for tag, given in page.tags if tag == "svg"]
    assert drawings and all(given.get("aria-label") for given in drawings)


def test_two_charts_in_a_page_do_not_share_identifiers(report):
    curve = report.curves[0]
    twice = Report("A run", rows=report.rows, curves=(curve, Curve("fold 1", curve.epochs, curve.series)))
    page = Page(render_report(twice))
    assert len(page.ids) == len(set(page.ids))


def test_the_same_report_is_the_same_file(report):
    with ThreadPoolExecutor(2) as executor:
        assert render_report(report) == render_report(report, executor)


def test_names_from_outside_cannot_become_markup(report, picture):
    evil = '<script>alert("x")</script>'
    html = render_report(
        Report(
            evil,
            given=(Table(evil, (evil,), ((evil,),)),),
            queue=(QueueRow(1, f"{evil}__T2", evil),),
            cases=(CasePicture(f"{evil}__T2", picture.image, {evil: picture.contours["truth"]}, caption=evil),),
            curves=(Curve(evil, (0.0, 1.0), {evil: (1.0, 2.0)}),),
            problems=(evil,),
        )
    )
    assert "<script" not in html
    assert Page(html).open == []


def test_a_case_whose_files_are_gone_leaves_a_sentence(report, tmp_path):
    gone = CasePicture("S9__T1", tmp_path / "gone.nii.gz")
    text = Page(render_report(Report("A run", cases=(gone, *report.cases)))).text
    assert "No picture:" in text and "there is no such file" in text
    assert "slice 9 of 16" in text


def test_an_empty_report_is_still_a_page():
    page = Page(render_report(Report("Nothing yet")))
    assert page.open == [] and "Nothing yet" in page.text
    assert "Results" not in page.text


def test_forty_cases_stay_below_five_megabytes(tmp_path):
    """Edges and noise as in an MRI (SNR 25), at the full size of a slice."""
    rng = np.random.default_rng(0)
    geometry = Geometry((288, 230, 6), (1.3, 1.3, 5.0))
    organs = np.kron(rng.uniform(100, 900, (6, 23, 24)), np.ones((1, 10, 12)))
    write_volume(Volume((organs + rng.normal(0, 20, organs.shape)).astype(np.int16), geometry), tmp_path / "i.nii.gz")
    empty = len(render_report(Report("A run")))
    one = len(render_report(Report("A run", cases=(CasePicture("S1__T2", tmp_path / "i.nii.gz"),)))) - empty
    assert 40 * one < 5_000_000


def test_writing_leaves_one_file(report, tmp_path):
    write_report(report, tmp_path / "out" / "report.html")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["report.html"]


def test_the_table_by_vendor_appears_when_there_are_several():
    rows = [row("S1__T2", "model", 0.9), row("S2__T2", "model", 0.8)]
    assert [table.title for table in metric_tables(rows)] == ["By phase"]
    rows.append(row("S3__T2", "model", 0.7, vendor="C"))
    tables = metric_tables(rows)
    assert [table.title for table in tables] == ["By phase", "By phase, vendor and domain"]
    assert tables[0].rows[0][:4] == ("T2", "model", "3", "0")
    assert [line[1] for line in tables[1].rows] == ["A", "C"]


def test_number_columns_are_known():
    table = Table("", ("a", "b", "c", "d"), (("S1", "1", "0.9 ± 0.1", "–"), ("2", "–", "12.3 mm", "4 %")))
    assert table.numeric == (False, True, True, True)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.42, "0.4 s"), (48, "48 s"), (59.7, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min"), (NAN, "–")],
)
def test_time_is_said_as_people_say_it(seconds, said):
    assert duration(seconds) == said


def test_an_empty_mask_is_said_for_its_case():
    assert case_line([row("S2__T2", "model", 0, NAN, empty=True)], "S2__T2") == "model: empty mask"


def test_charts_take_the_colour_of_the_page(report):
    for chart in (dice_chart(report.rows, {"proposal": "#e69f00", "model": "#cc79a7"}), curve_chart(report.curves[0])):
        assert "currentColor" in chart and "#010203" not in chart
        assert "<metadata" not in chart and "<!DOCTYPE" not in chart
    assert dice_chart((), {}) == "" and curve_chart(Curve("x", (), {})) == ""


def test_a_source_has_one_colour_in_the_chart_and_on_the_slices(report):
    html = render_report(report)
    (colour,) = re.findall(r"\.o1 \{ stroke: (#\w+)", html)
    assert colour in html[html.index("Dice of every case") : html.index("Each dot is a case")]


def test_montage_is_one_picture_of_all_cases(picture, tmp_path):
    from PIL import Image

    write_montage([picture, picture, picture], tmp_path / "out" / "montage.png", columns=2)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["montage.png"]
    pixels = np.asarray(Image.open(tmp_path / "out" / "montage.png").convert("RGB")).astype(int)
    height, width = pixels.shape[:2]
    blue = (np.abs(pixels - [0x56, 0xB4, 0xE9]).sum(-1) < 40)[: int(height * 0.9)]
    quarters = [blue[: height // 2, : width // 2], blue[: height // 2, width // 2 :], blue[height // 2 :, : width // 2]]
    assert all(part.sum() > 100 for part in quarters)
    assert blue[height // 2 :, width // 2 :].sum() == 0


def test_nothing_heavy_is_loaded_before_it_is_needed():
    code = (
        "import sys, LiverSegSSLLib.evaluate.report.render, LiverSegSSLLib.evaluate.report.montage,"
        " LiverSegSSLLib.evaluate.masks, LiverSegSSLLib.score.registry;"
        "print([m for m in ('torch','SimpleITK','matplotlib','pandas','scipy','skimage') if m in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
