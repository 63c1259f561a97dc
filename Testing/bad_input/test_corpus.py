"""Everything bad that a command can be given: one clear line, the right exit code, nothing lost, the rest goes on."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from LiverSegSSLLib.cohort.index import open_cohort
from Testing.bad_input import cohorts, requests, weights, workspaces
from Testing.bad_input.conftest import Answer
from Testing.bad_input.entry import Entry
from Testing.bad_input.place import Place

ENTRIES = (*cohorts.ENTRIES, *requests.ENTRIES, *workspaces.ENTRIES, *weights.ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry.name for entry in ENTRIES])
def test_it_is_answered(
    entry: Entry, request: pytest.FixtureRequest, tmp_path: Path, command: Callable[[list[str]], Answer]
) -> None:
    place = Place(tmp_path)
    shutil.copytree(
        request.getfixturevalue("proposed" if entry.proposed else "sound").root, place.root, dirs_exist_ok=True
    )
    arguments = entry.arrange(place)
    sources, labels = place.sources(), place.labels()
    answer = command(arguments)
    assert re.search(entry.says, answer.text), answer.text
    assert answer.code == entry.code, answer.text
    assert "Traceback" not in answer.text and "unexpected" not in answer.text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", answer.text)  # nothing that steers a terminal
    errors = [line for line in answer.text.splitlines() if re.search(r"(^|\d )Error: ", line)]
    assert len(errors) == ((entry.code > 0 and arguments[0] != "doctor") or entry.name == "workspace-not-there")
    if entry.goes_on is not None:
        assert {case.id for case in open_cohort(place.data).cases()} == entry.goes_on
    assert place.sources() == sources
    assert not (place.root / "ran").exists()  # what a checkpoint would make that is unpickled with trust
    after = place.labels()
    assert {label: after.get(label) for label in labels} == labels
