"""A full disk, a read-only folder, a share that is lost in the midst: one line, exit code 1, nothing lost; and when the
place takes and gives again, the verb goes on to the result of one that was never refused."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from LiverSegSSLLib.labels.store import LabelStore
from LiverSegSSLLib.volume import read_mask
from Testing.crash import faults
from Testing.crash.verbs import PROPOSED, VERBS, Place, write_cohort

REPOSITORY = Path(__file__).resolve().parents[2]

watched = pytest.mark.skipif(bool(faults.why_not()), reason=faults.why_not())


def refusals(folder: Path, *arguments: str) -> dict[str, dict[str, int]]:
    """Refuse calls of verbs; what was not survived is shown where it fails."""
    command = [sys.executable, "-m", "Testing.crash", "--folder", str(folder), *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=3000)
    assert done.returncode == 0, done.stdout + done.stderr
    kinds: dict[str, dict[str, int]] = json.loads(done.stdout)
    return kinds


@watched
@pytest.mark.timeout(300)
def test_a_place_that_refuses_from_some_call_on(tmp_path: Path) -> None:
    kinds = refusals(tmp_path, "--refusals", "2", "--verbs", "correct,score", "--seed", "5")
    assert all(row["survived"] == row["tried"] for row in kinds.values())
    assert all(kinds[name]["tried"] == 2 for name in ("full disk", "read-only", "lost workspace"))


@watched
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_verb_in_a_place_that_refuses(tmp_path: Path) -> None:
    kinds = refusals(tmp_path, "--refusals", "28", "--seed", "6")
    assert all(row["survived"] == row["tried"] >= 20 for row in kinds.values())


@watched
def test_no_image_is_put_in_place_that_was_not_written_whole(tmp_path: Path) -> None:
    """ITK ends a NIfTI file early where a write is refused, and says nothing."""
    script = """if True:
        import errno, sys
        from pathlib import Path
        import numpy as np
        from LiverSegSSLLib.errors import PlaceError
        from LiverSegSSLLib.volume import Geometry, Volume, read_volume, write_volume
        from Testing.crash.faults import WRITE, Faults
        folder, faults = Path(sys.argv[1]), Faults()
        array = np.random.default_rng(1).integers(0, 999, (32, 64, 64)).astype(np.int16)
        image = Volume(array, Geometry((64, 64, 32), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)))
        faults.count(folder)
        write_volume(image, folder / "a.nii.gz")
        assert faults.counts[WRITE] >= 2
        for at in range(1, faults.counts[WRITE] + 1):
            faults.refuse(folder, (WRITE,), at, errno.ENOSPC)
            try:
                write_volume(image, folder / f"{at}.nii.gz")
            except PlaceError as error:
                print(error)
            faults.stop()
        assert (read_volume(folder / "a.nii.gz").array == array).all()
    """
    folder = tmp_path / "folder"
    folder.mkdir()
    command = [sys.executable, "-c", script, str(folder)]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=faults.preloaded(tmp_path), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 2 and "1.nii.gz: cannot be written whole – " in done.stdout
    assert [path.name for path in folder.iterdir()] == ["a.nii.gz"]


# --- a file system of its own -----------------------------------------------------------------------------------


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mount("-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no file system can be mounted here (needs root)")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=False, capture_output=True)


@pytest.fixture
def place(tmp_path: Path, disk: Path) -> Place:
    """A cohort on the computer's disk, and a workspace on the small one, with two proposals."""
    there = Place(tmp_path / "place")
    there.root.mkdir()
    write_cohort(there)
    there.mask.parent.mkdir()
    shutil.copy(there.truth / f"{PROPOSED[0]}.nii.gz", there.mask)
    there.trial.symlink_to(disk)
    with LabelStore.open(there.workspace) as store:
        for case in PROPOSED:
            store.add(case, read_mask(there.truth / f"{case}.nii.gz"), source="atlas", round=1)
    return there


def command(place: Place, verb: str) -> tuple[int, str]:
    """Run a verb as a user does; exit code and what was shown."""
    done = subprocess.run(
        [sys.executable, "-m", "LiverSegSSLLib.cli.main", *VERBS[verb].arguments(place)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stdout + done.stderr


def labels(place: Place) -> dict[str, str]:
    with LabelStore.open(place.workspace) as store:
        assert all(store.verify(label) for label in store.labels()) and not store.repair_sidecars()
        return {label.id: label.state.value for label in store.labels()}


def refused(place: Place, *words: str) -> None:
    code, said = command(place, "correct")
    lines = [line for line in said.splitlines() if line.startswith("Error: ")]
    assert code == 1 and len(lines) == 1 and "Traceback" not in said, said
    assert any(word in lines[0] for word in words) and " – " in lines[0], lines


@pytest.mark.timeout(300)
def test_a_disk_that_is_full_then_read_only_then_gone(place: Place, disk: Path) -> None:
    before = labels(place)
    with (disk / "filler").open("wb") as filler, pytest.raises(OSError):
        while True:
            os.write(filler.fileno(), bytes(4096))
    refused(place, "No space left", "full")
    (disk / "filler").unlink()
    assert labels(place) == before

    mount("-o", "remount,ro", str(disk))
    refused(place, "Read-only", "readonly", "unable to open")
    mount("-o", "remount,rw", str(disk))
    assert labels(place) == before

    place.trial.unlink()  # the way there is gone
    code, said = command(place, "correct")
    assert code == 2 and "is not there" in said and "Traceback" not in said and not place.trial.exists()
    place.trial.symlink_to(disk)
    assert labels(place) == before

    assert command(place, "correct")[0] == 0
    assert labels(place) == {**before, f"{PROPOSED[0]}.v2": "corrected"}
