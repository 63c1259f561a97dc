"""A dozen kills with every test run, a hundred with the slow ones; ``make crash`` makes a thousand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from LiverSegSSLLib.atomic import unfinished
from Testing.crash import faults
from Testing.crash.campaign import LEARNING, REFUSALS, plan
from Testing.crash.verbs import BEFORE, VERBS

REPOSITORY = Path(__file__).resolve().parents[2]

QUICK = ("accept", "correct", "score")
"""Verbs that take a second, and between them do all that the store does."""

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kills processes as Linux does")


def campaign(folder: Path, *arguments: str) -> dict[str, dict[str, int]]:
    """Run it; what it has found is shown where it fails."""
    command = [sys.executable, "-m", "Testing.crash", "--folder", str(folder), *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=3000)
    assert done.returncode == 0, done.stdout + done.stderr
    verbs: dict[str, dict[str, int]] = json.loads((folder / "results.json").read_text())["verbs"]
    return verbs


@pytest.mark.timeout(600)
def test_verbs_killed_anywhere_lose_nothing_and_go_on(tmp_path: Path) -> None:
    verbs = campaign(tmp_path, "--kills", "12", "--verbs", ",".join(QUICK), "--seed", "7")
    assert verbs.keys() == set(QUICK)
    assert sum(row["tried"] for row in verbs.values()) >= 12
    assert all(row["survived"] == row["tried"] >= 3 for row in verbs.values())


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_verb_killed_anywhere_loses_nothing_and_goes_on(tmp_path: Path) -> None:
    verbs = campaign(tmp_path, "--kills", "100", "--seed", "8")
    assert verbs.keys() == set(VERBS) and all(row["survived"] == row["tried"] for row in verbs.values())


def test_the_plan_gives_every_verb_its_share() -> None:
    wanted = plan(VERBS, 1000)
    assert abs(sum(wanted.values()) - 1000) <= len(wanted) and min(wanted["run"], wanted["train"]) >= 40
    assert {*LEARNING, *(verb for _, verb in BEFORE.values())} <= VERBS.keys()
    assert {refusal.folder for refusal in REFUSALS.values()} == {"trial", "data"}


@pytest.mark.skipif(bool(faults.why_not()), reason=faults.why_not())
def test_a_process_ends_at_the_call_it_should(tmp_path: Path) -> None:
    """Before, in the midst of and after a write and a rename: what is left says where it ended."""
    script = """if True:
        import sys
        from pathlib import Path
        from LiverSegSSLLib.atomic import write_bytes
        from Testing.crash.faults import Faults
        folder, kind, how = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
        faults = Faults()
        faults.kill(folder, kind, 1, how, group=False)
        write_bytes(folder / "a.bin", bytes(1000))
    """
    environment = faults.preloaded(tmp_path)
    left = {}
    for kind, how in ((faults.WRITE, 0), (faults.WRITE, 1), (faults.WRITE, 2), (faults.RENAME, 0), (faults.RENAME, 2)):
        folder = tmp_path / f"{kind}-{how}"
        folder.mkdir()
        command = [sys.executable, "-c", script, str(folder), str(kind), str(how)]
        assert subprocess.run(command, cwd=REPOSITORY, env=environment, timeout=60).returncode == -9
        found = list(folder.iterdir())
        left[kind, how] = [(path.name == "a.bin", path.stat().st_size) for path in found]
        assert unfinished(found) == [path for path in found if path.name != "a.bin"]
    assert left == {
        (faults.WRITE, 0): [(False, 0)],
        (faults.WRITE, 1): [(False, 500)],
        (faults.WRITE, 2): [(False, 1000)],
        (faults.RENAME, 0): [(False, 1000)],
        (faults.RENAME, 2): [(True, 1000)],
    }
