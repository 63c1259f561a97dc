"""``--pseudonyms``: a report that may be sent on holds no study's key, no folder, no file; and its words stay whole.

Keys are chosen to be hard: numbers, a phase, words of the report, one that another contains.
"""

from __future__ import annotations

import base64
import html
import io
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from LiverSegSSLLib.cli.main import main
from LiverSegSSLLib.cohort.index import open_cohort
from LiverSegSSLLib.cohort.study import Phase, Problem, split_case_id
from LiverSegSSLLib.evaluate.report.comparison_rows import CellRow
from LiverSegSSLLib.events import SILENT
from LiverSegSSLLib.learn.options import load_preset
from LiverSegSSLLib.rounds import reporting
from LiverSegSSLLib.rounds.comparison import Comparison
from LiverSegSSLLib.rounds.comparison_options import ComparisonOptions
from LiverSegSSLLib.rounds.comparison_plan import plan_comparison
from LiverSegSSLLib.rounds.comparison_results import write_results
from LiverSegSSLLib.rounds.opening import RunOptions
from LiverSegSSLLib.rounds.pseudonyms import TABLE, UNSAID, Names, hidden_names, pseudonyms_of
from Testing.bad_input.conftest import Answer, here
from Testing.bad_input.place import Place
from Testing.bad_input.test_identifiers import RECIPE
from Testing.bad_input.writers import body_and_liver, flipped, nifti, packed
from Testing.untrained_model import write_untrained_model

ORDINARY = ("1", "10", "T1", "Dice", "mask")
"""Keys that are words of every report."""

TELLING = ("1948-11-31", "P.7-b", "P.7-bis", "QUARTZMANN_Erdmute")
"""Keys that nothing but a leak can put there. Beside them, an umlaut, which the key loses."""

FOLDERS = (*ORDINARY, *TELLING, "Jürgen K.")

IDS = re.compile(rf"[^\s<>\"']+__(?:{'|'.join(phase.value for phase in Phase)})")


def make_nasty(folder: Path) -> Place:
    """Ten studies, all that can go wrong with files among them, and truths to measure against."""
    place = Place(folder / "Praxis-Dr-Vogel")
    image, liver = body_and_liver()
    other, moved = body_and_liver(1.0)
    for folder in FOLDERS:
        place.file(f"data/{folder}/GED4.nii.gz", packed(nifti(image)))
        place.file(f"data/{folder}/mask_GED4.nii.gz", packed(nifti(liver)))
        place.file(f"data/{folder}/T1.nii.gz", packed(nifti(other)))
        place.file(f"truth/{folder}__T1.nii.gz", packed(nifti(moved)))
    (place.data / "P.7-b" / "mask_GED4.nii.gz").unlink()
    place.file("data/P.7-b/T2.nii.gz", b"nothing")
    place.file("data/1948-11-31/QUARTZMANN_old.nii.gz", packed(nifti(image)))
    place.file("data/1948-11-31/mask_T2.nii.gz", packed(nifti(liver)))
    place.file("data/left-out-Erdmute/T1.nii.gz", b"nothing")
    # Found damaged when it is read: what has failed says so in the queue, with its path.
    place.file("data/10/T2.nii.gz", flipped(packed(nifti(other)), range(3600, 3640)))
    place.file("data/10/DWI_400.nii.gz", packed(nifti(image)))
    place.file("data/10/DWI_600.nii.gz", packed(nifti(image)))
    place.file("data/Dice/mask_GED4.nii.gz", packed(nifti(liver * 0)))
    shutil.rmtree(place.data / "mask")
    shutil.copytree(place.data / "T1", place.data / "mask")
    (place.data / "mask" / "GED4.nii.gz").unlink()
    (place.data / "mask" / "mask_GED4.nii.gz").unlink()
    place.file(
        "mine.yaml", RECIPE.replace("name: mine", "name: mine\ndescription: what QUARTZMANN_Erdmute has paid for")
    )
    return place


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Proposed and measured; then a study is taken away and a mask is lost. Only to be copied."""
    place = make_nasty(tmp_path_factory.mktemp("once"))
    data, recipe = str(place.data), str(place.root / "mine.yaml")
    with pytest.MonkeyPatch.context() as patch:
        here(patch)
        assert main(["propose", data, "--recipe", recipe]) == 0
        assert main(["evaluate", data, "--recipe", recipe, "--truth", str(place.root / "truth")]) == 0
    shutil.rmtree(place.data / "P.7-bis")
    next((place.workspace / "labels" / "QUARTZMANN_Erdmute__T1").rglob("*.nii.gz")).write_bytes(b"")
    return place


@pytest.fixture
def done(once: Place, tmp_path: Path) -> Place:
    shutil.copytree(once.root, tmp_path / once.root.name)
    return Place(tmp_path / once.root.name)


def test_a_study_that_was_taken_away_stops_neither_the_measures_nor_the_report(
    done: Place, command: Callable[[list[str]], Answer]
) -> None:
    recipe, truth = str(done.root / "mine.yaml"), str(done.root / "truth")
    assert command(["evaluate", str(done.data), "--recipe", recipe, "--truth", truth]).code == 0
    assert "P.7-bis" not in (done.workspace / "runs/mine/metrics.csv").read_text()
    assert "1948-11-31__T1" in write(done, command)


def write(place: Place, command: Callable[[list[str]], Answer], *more: str) -> str:
    """The report's text, and what its pictures hold beside pixels."""
    answer = command(["report", str(place.data), "--recipe", str(place.root / "mine.yaml"), *more])
    assert answer.code == 0, answer.text
    return (place.workspace / "runs/mine/report.html").read_text(encoding="utf-8")


def hidden_in(page: str) -> str:
    """Everything in a page as text: entities, escapes, and the words in embedded pictures."""
    pictures = [base64.b64decode(data) for data in re.findall(r"base64,([A-Za-z0-9+/=]+)", page)]
    assert pictures and all(not Image.open(io.BytesIO(data)).info.get("exif") for data in pictures)
    without = re.sub(r"base64,[A-Za-z0-9+/=]+", "", page)
    inside = "".join(data.decode("latin-1") for data in pictures)
    return "\n".join((without, html.unescape(without), re.sub(r"\.([0-9a-f]{2})", _char, without), inside))


def _char(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))


def require_no_key(text: str, place: Place) -> None:
    for word in (*TELLING, "Jürgen", "Jurgen", "Quartzmann", "Erdmute", "Vogel", "left-out", str(place.root), "/home/"):
        assert word.lower() not in text.lower(), word
    text = text.replace("Study.20", "Study ")  # as an anchor has it
    for found in IDS.finditer(text):
        assert re.search(r"(Study \d{3}|another study)__\w+$", text[: found.end()]), found.group()


def test_a_report_with_pseudonyms_names_no_study_no_folder_and_no_file(
    done: Place, command: Callable[[list[str]], Answer]
) -> None:
    plain = write(done, command)
    assert all(word in plain for word in ("1948-11-31__T1", "QUARTZMANN", "P.7-bis__T1", str(done.data))), (
        "they would stand there"
    )
    assert re.search(r"T2: [^<]*/10/T2\.nii\.gz", _section(plain, "queue"))
    page = write(done, command, "--pseudonyms")
    require_no_key(hidden_in(page), done)
    assert "what QUARTZMANN" not in page and "LiverSegSSL: mine" in page
    # The picture beside it: nothing in its metadata but who drew it.
    with Image.open(done.workspace / "runs/mine/overview.png") as picture:
        assert set(picture.info) <= {"Software", "dpi"}
    # Every problem still stands, said otherwise.
    problems = re.search(r"Problems \((\d+)\)", page)
    assert problems is not None and UNSAID in page
    assert re.search(rf"Study \d{{3}}: {re.escape(UNSAID)} – draw the liver or take the file away", page)
    assert re.search(r"Study \d{3}: no GED4 \(hepatobiliary phase\)", page)


def test_ordinary_words_are_not_garbled_by_keys_like_1_and_t1(
    done: Place, command: Callable[[list[str]], Answer]
) -> None:
    plain, page = write(done, command), write(done, command, "--pseudonyms")
    for section in ("given", "steps"):
        assert _section(plain, section) == _section(page, section)
    names = pseudonyms_of([], done.workspace / TABLE)
    assert names == {}
    table = dict(line.split(",") for line in (done.workspace / TABLE).read_text().splitlines()[1:])

    def cells(text: str) -> list[tuple[str, ...]]:
        rows = re.findall(r'<tr><td class="number">.*?</tr>', _section(text, "queue"), re.DOTALL)
        return [tuple(re.sub(r"<[^>]+>", " ", cell).strip() for cell in re.split(r"</t[hd]>", row)) for row in rows]

    before, after = cells(plain), cells(page)
    assert len(before) == len(after) > 5
    reasons = {f"{table[split_case_id(row[1])[0]]}__{split_case_id(row[1])[1].value}": row[2:] for row in before}
    hidden = {row[1]: row[2:] for row in after}
    assert hidden.keys() == reasons.keys()
    for name, said in reasons.items():
        assert hidden[name] == ((UNSAID, *said[1:]) if "Praxis-Dr-Vogel" in said[0] else said)


def _section(page: str, name: str) -> str:
    found = re.search(rf'<section id="{name}">.*?</section>', page, re.DOTALL)
    assert found is not None, name
    return found.group()


def test_the_pictures_are_titled_with_pseudonyms(
    done: Place, command: Callable[[list[str]], Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    write_montage = reporting.write_montage

    def watched(pictures: list[reporting.CasePicture], path: Path) -> None:
        drawn.extend(f"{picture.case_id} {picture.caption}" for picture in pictures)
        write_montage(pictures, path)

    monkeypatch.setattr(reporting, "write_montage", watched)
    write(done, command, "--pseudonyms")
    assert drawn and all(re.fullmatch(r"Study \d{3}__\w+ ", text) for text in drawn)
    assert (done.workspace / "runs/mine/overview.png").is_file()


def test_a_study_keeps_its_pseudonym_when_the_cohort_grows(done: Place, command: Callable[[list[str]], Answer]) -> None:
    write(done, command, "--pseudonyms")
    before = (done.workspace / TABLE).read_text().splitlines()
    done.study("0000-new", of="10")
    write(done, command, "--pseudonyms")
    after = (done.workspace / TABLE).read_text().splitlines()
    assert set(before) < set(after) and len(after) == len(before) + 1
    assert not list((done.workspace / "runs").rglob(TABLE)), "not where it would be sent along"


@given(st.sets(st.text("0123456789", min_size=8, max_size=8), min_size=2, max_size=300), st.integers(0, 2**32))
def test_pseudonyms_are_different_and_do_not_follow_the_keys(keys: set[str], seed: int) -> None:
    import random
    import tempfile

    draw = random.Random(seed).randrange
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / TABLE
        ordered = sorted(keys)
        first = dict(pseudonyms_of(ordered[: len(ordered) // 2], table, draw))
        every = dict(pseudonyms_of(ordered, table, draw))
        assert every.items() >= first.items() and len(set(every.values())) == len(keys)
        assert all(re.fullmatch(r"Study [1-9]\d{2,}", name) for name in every.values())
        numbers = [int(every[key].split()[1]) for key in ordered]
        if len(numbers) > 20:
            assert numbers not in (sorted(numbers), sorted(numbers, reverse=True))
            # Those that came later are not the higher numbers.
            half = len(numbers) // 2
            assert min(numbers[half:]) < max(numbers[:half])


def test_a_table_that_is_damaged_is_refused(done: Place, command: Callable[[list[str]], Answer]) -> None:
    write(done, command, "--pseudonyms")
    for content in ("study,pseudonym\n1,Study 100\n10,Study 100\n", "nothing\n", "study,pseudonym\n1,1\n", "\0"):
        (done.workspace / TABLE).write_text(content)
        answer = command(["report", str(done.data), "--recipe", str(done.root / "mine.yaml"), "--pseudonyms"])
        assert answer.code == 1 and TABLE in answer.text and "Traceback" not in answer.text, answer.text


def test_free_text_is_left_out_rather_than_turned_over() -> None:
    names = Names({"1": "Study 417", "2024": "Study 300"}, {"/d/1/T1.nii.gz": ("1", Phase.T1)}, frozenset({"Vogel"}))
    assert names.text("T1: 1 part; in doubt in 2024 mL") == "T1: 1 part; in doubt in 2024 mL"
    assert (
        names.text("few-shot from 1__GED4, 2024__T1 and 1 more")
        == "few-shot from Study 417__GED4, Study 300__T1 and 1 more"
    )
    assert names.text("77__T2 could not be registered") == "another study__T2 could not be registered"
    assert names.text("1__T1 could not be read: /d/1/T1.nii.gz") == UNSAID
    assert names.own_words("two rounds") == "two rounds"
    assert names.own_words("for Vogel") == names.own_words("2 of 2024") == ""
    (line,) = names.problems([Problem("/d/1/T1.nii.gz", "is no image", "export it again")])
    assert line == "Study 417, T1: is no image – export it again"
    (line,) = names.problems([Problem("/d/x", "the name 'Ute' says no known phase")] * 2)
    assert line == f"The cohort: {UNSAID} (2 times)"
    plain = Names()
    assert plain.text("1__GED4 /x") == "1__GED4 /x" and plain.cases(["b__T1", "a__T1"]) == ["b__T1", "a__T1"]


def test_a_comparison_with_pseudonyms_names_no_study(tmp_path: Path) -> None:
    nasty = make_nasty(tmp_path)
    cohort = open_cohort(nasty.data)
    truths = [case.id for case in cohort.cases() if case.expert is not None]
    plan = plan_comparison(cohort, [Phase.GED4], truths, [2], 1)
    (tmp_path / "model").mkdir()
    model = write_untrained_model(tmp_path / "model", 1)
    for hidden in (False, True):
        run = RunOptions(nasty.data, nasty.workspace, device="cpu", pseudonyms=hidden)
        options = ComparisonOptions(labelled=(2,), seeds=1, training={"epochs": 1})
        comparison = Comparison(options, run, cohort, plan, load_preset("cpu", {"epochs": 1}, 0), {}, SILENT)
        rows = [
            CellRow(method, 2, 0, "GED4", case_id, "A", 0.9, 9.0, 5.0, 1.0, 0.9, False, 10.0, 20)
            for method in ("supervised", "pseudo")
            for case_id in plan.test
        ]
        write_results(comparison, rows, model)
        files = [path for path in comparison.folder.iterdir() if path.is_file()]
        assert {path.suffix for path in files} == {".csv", ".md", ".svg", ".png", ".html"}
        said = "\n".join(path.read_bytes().decode("latin-1") for path in files)
        if not hidden:
            assert all(key in said for key in TELLING) and "data, GED4" in said
            continue
        require_no_key(said, nasty)
        assert "Study " in said and "# Comparison of methods: GED4" in said
        cells = (comparison.folder / "cells.csv").read_text().splitlines()
        assert len(cells) == len(rows) + 1
        names = hidden_names(nasty.workspace, cohort)
        shown = [line.split(",")[4] for line in cells[1 : len(plan.test) + 1]]
        assert shown == sorted(names.case(case_id) for case_id in plan.test), "not in the order of the keys"
        with Image.open(comparison.folder / "comparison.png") as picture:
            assert set(picture.info) <= {"Software", "dpi"}
