"""The audit of the dependencies: its answers in pip-audit's true format, and a source that cannot be reached."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from Testing import audit


def answer(*packages: dict[str, object]) -> str:
    return json.dumps({"dependencies": list(packages), "fixes": []})


def package(name: str, **vulnerability: object) -> dict[str, object]:
    """As pip-audit 2.10 writes it (``--format json``)."""
    vulns = [{"id": "PYSEC-1", "fix_versions": [], "aliases": [], "description": "…", **vulnerability}]
    return {"name": name, "version": "1.0", "vulns": vulns if vulnerability else []}


SKIPPED = {
    "name": "absl-py",
    "skip_reason": "Dependency not found on PyPI and could not be audited: absl-py (2.5.1)",
}  # recorded behind a mirror that answers for no package


def test_a_vulnerability_that_is_mended_fails() -> None:
    lines, code = audit.told(
        answer(package("a"), package("b", fix_versions=["1.1", "2.0"], aliases=["CVE-2025-32434"])), ""
    )
    assert code == 1
    assert lines == [
        "audit: b 1.0 is vulnerable (PYSEC-1 CVE-2025-32434) – mended in 1.1, 2.0: raise it in constraints.txt"
    ]


def test_one_that_nobody_has_mended_is_told_and_does_not_fail() -> None:
    lines, code = audit.told(answer(package("a"), package("b", id="GHSA-x")), "")
    assert (len(lines), code) == (1, 0) and "b 1.0 is vulnerable (GHSA-x) – NOT MENDED YET" in lines[0]


def test_none() -> None:
    assert audit.told(answer(package("a"), package("b")), "") == (
        ["audit: 2 packages, none known to be vulnerable"],
        0,
    )


def test_packages_that_the_source_does_not_know_are_named() -> None:
    lines, code = audit.told(answer(package("a"), package("b"), SKIPPED), "")
    assert code == 0 and lines[1] == "audit: not known to the source: absl-py"


def test_a_mirror_that_knows_nothing_is_no_audit() -> None:
    """pip-audit itself says "No known vulnerabilities found" and ends with 0."""
    lines, code = audit.told(answer(SKIPPED, SKIPPED, package("a")), "No known vulnerabilities found\n")
    assert (lines, code) == (["audit: not done – the source knows 1 of 3 packages (a mirror?)"], 0)


@pytest.mark.parametrize("said", ["", "hello", "[]", "{}", "7"])
def test_an_answer_that_is_none(said: str) -> None:
    lines, code = audit.told(said, "WARNING: x\nERROR: it is raining\n\n")
    assert (lines, code) == (["audit: not done – the source cannot be reached (ERROR: it is raining)"], 0)


def test_a_source_that_cannot_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For real: a proxy at a port where nobody listens; or pip-audit is not installed, which is told as well."""
    (tmp_path / "constraints.txt").write_text("requests==2.31.0\n")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    lines, code = audit.told(*audit.asked(tmp_path / "constraints.txt", 60))
    assert code == 0 and len(lines) == 1 and lines[0].startswith("audit: not done – the source cannot be reached (")


def test_an_answer_that_does_not_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "python"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(slow))
    lines, code = audit.told(*audit.asked(limit_s=0.5))
    assert (lines, code) == (["audit: not done – the source cannot be reached (no answer in 0.5 s)"], 0)
