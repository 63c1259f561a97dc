"""The campaign: chains of kills of one verb after another, each looked at, and in the end the uninterrupted result."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from Testing.crash import faults as calls
from Testing.crash.faults import Faults
from Testing.crash.forking import fork_everything, forked, load_libraries
from Testing.crash.outcome import checksums, ledger_rows, outcome
from Testing.crash.soundness import acknowledge_to, acknowledged, faults_after
from Testing.crash.verbs import BEFORE, VERBS, Place, Verb, lose_ledger, one_entry_catalogue, prepare

LEARNING = ("train", "run", "predict", "export")
"""Verbs that need nnU-Net, or something that it has made."""

REBUILD_EACH = 20
"""After each of so many kills the ledger is also lost and made again."""

AT_A_CALL = 0.65
"""Share of the kills that are made at a call to the file system, rather than at a moment."""

_PATIENCE_S = 300.0
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of prctl(2): processes whose parent was killed become ours


@dataclass(frozen=True)
class Kill:
    """What was killed. ``where``: at which call, or after how many seconds; ``who``: the process or its group."""

    verb: str
    chain: int
    where: str
    who: str
    survived: bool
    faults: tuple[str, ...] = ()


@dataclass
class Chain:
    """Kills of one verb in a row, and how it ended."""

    verb: str
    number: int
    kills: list[Kill] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class Usual:
    """An uninterrupted verb: how long, how many calls of each kind, what came out."""

    seconds: float
    counts: tuple[int, ...]
    outcome: dict[str, Any]


@dataclass(frozen=True)
class Refusal:
    """How a place refuses. ``folder``: of :class:`~Testing.crash.verbs.Place`."""

    folder: str
    kinds: tuple[int, ...]
    error: int


REFUSALS = {
    "full disk": Refusal("trial", (calls.WRITE, calls.MKDIR), errno.ENOSPC),
    "read-only": Refusal("trial", calls.CHANGES, errno.EROFS),
    "lost workspace": Refusal("trial", calls.KINDS, errno.ESTALE),
    "lost data": Refusal("data", (calls.LOOK,), errno.EIO),
}
"""From some call on."""


class Campaign:
    """Kills the verbs of one place. Only one in a process, which must have been begun with ``faults.preloaded``, or
    without it on a computer where calls cannot be watched: then all kills are at moments.

    :param names: of the verbs.
    :raises RuntimeError: a verb does not work uninterrupted.
    """

    def __init__(self, root: Path, names: Iterable[str], seed: int, tell: Callable[[str], None]) -> None:
        self.place = Place(root.absolute())
        self.seed = seed
        self.verbs = [VERBS[name] for name in names]
        self.faults = None if calls.why_not() else Faults()
        self._said = root / "acknowledged.jsonl"
        self._log = root / "log.txt"
        self._answer = root / "answer.json"
        self._kills = 0
        self.code: int | None = None
        """Exit code of the last command."""
        ctypes.CDLL(None).prctl(_SUBREAPER, 1)
        load_libraries(learning=any(verb.name in LEARNING for verb in self.verbs))
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        self._apart(lambda: prepare(self.place))
        one_entry_catalogue(self.place)
        fork_everything()
        acknowledge_to(self._said)
        self._given = checksums(self.place.data, self.place.truth)
        self._usual: dict[str, Usual] = {}
        self._counted: dict[tuple[str, str], tuple[int, ...]] = {}
        self._save("empty")
        for verb in self.verbs:
            tell(f"{verb.name}: uninterrupted")
            self._begin_from(verb.begins)
            self._usual[verb.name] = self._uninterrupted(verb)

    def chain(self, verb: Verb, number: int, most: int) -> Chain:
        """Kill a verb up to ``most`` times in a row, then let it finish; the same for the same seed and number."""
        began = time.monotonic()
        draw = random.Random(f"{self.seed} {verb.name} {number}")
        chain = Chain(verb.name, number)
        self._restore(verb.begins)
        most = min(most, draw.randint((verb.most + 1) // 2, verb.most))
        while len(chain.kills) < most:
            killed = self._killed(verb, draw, links=most)
            if killed is None:
                break
            self._kills += 1
            faults = self._look(verb, rebuild=self._kills % REBUILD_EACH == 0)
            chain.kills.append(Kill(verb.name, number, *killed, not faults, tuple(faults)))
            if faults:
                break
        if all(kill.survived for kill in chain.kills):
            faults = self._finish(verb)
            if faults and chain.kills:
                last = chain.kills[-1]
                chain.kills[-1] = Kill(last.verb, number, last.where, last.who, False, tuple(faults))
        chain.seconds = time.monotonic() - began
        return chain

    def refused(self, verb: Verb, name: str, number: int) -> Kill | None:
        """Run a verb whose disk or share refuses from some call on, look at it, give the place back and let the verb go
        on; ``None``: it made fewer calls than usual."""
        assert self.faults is not None
        draw = random.Random(f"{self.seed} {verb.name} {name} {number}")
        how = REFUSALS[name]
        folder = getattr(self.place, how.folder)
        self._restore(verb.begins)
        at = draw.randint(1, max(1, sum(self._calls(verb, how.folder)[kind] for kind in how.kinds)))
        self.faults.refuse(folder, how.kinds, at, how.error)
        self._run(verb)
        self.faults.stop()
        if not self.faults.fired:
            return None
        shown = self._log.read_text(errors="replace")
        lines = [line for line in shown.splitlines() if "Error:" in line]
        faults = [] if self.code in (0, 1) else [f"exit code {self.code}"]
        if self.code and (len(lines) != 1 or "unexpected" in lines[0] or " – " not in lines[0]):
            faults.append(f"not one kind line: {shown[-1500:]}")
        faults += [*self._look(verb, rebuild=False), *self._finish(verb)]
        where = (
            f"from call {at} on: {Path(self.faults.where).relative_to(folder)}: {lines[0] if lines else 'in silence'}"
        )
        return Kill(verb.name, number, where, name, not faults, tuple(faults))

    def _calls(self, verb: Verb, folder: str) -> tuple[int, ...]:
        """How many calls of each kind a verb usually makes below a folder."""
        if folder == "trial":
            return self._usual[verb.name].counts
        if (verb.name, folder) not in self._counted:
            assert self.faults is not None
            self._restore(verb.begins)
            self.faults.count(getattr(self.place, folder))
            self._run(verb)
            self._counted[verb.name, folder] = self.faults.counts
            self._restore(verb.begins)
        return self._counted[verb.name, folder]

    # --- one verb -----------------------------------------------------------------------------------------------

    def _killed(self, verb: Verb, draw: random.Random, links: int) -> tuple[str, str] | None:
        """Run a verb and kill it: where, and whom; ``None``: it ended before."""
        usual = self._usual[verb.name]
        # The further a chain has come, the less there is left to do.
        part = 1.0 if links == 1 else 2.0 / links
        if self.faults is not None and draw.random() < AT_A_CALL:
            kinds = [kind for kind in calls.CHANGES if usual.counts[kind]]
            kind = draw.choice(kinds)
            at = draw.randint(1, max(1, round(usual.counts[kind] * part)))
            how, group = (
                draw.choice(calls.HOWS if kind == calls.WRITE else (calls.BEFORE, calls.AFTER)),
                draw.random() < 0.7,
            )
            self.faults.kill(self.place.trial, kind, at, how, group=group)
            self._run(verb)
            self.faults.stop()
            if not self.faults.fired:
                return None
            path = Path(self.faults.where).relative_to(self.place.trial)
            return f"{calls.HOW_NAMES[how]} {calls.NAMES[kind]} {at}: {path}", "group" if group else "process"
        delay = draw.uniform(0.0, usual.seconds * min(1.0, part))
        whom = draw.choice(("command", "all"))
        if not self._run(verb, delay, whom):
            return None
        return f"after {delay:.3f} s", whom

    def _run(self, verb: Verb, delay: float | None = None, whom: str = "all") -> bool:
        """Run a verb until it and all its processes have ended; whether it was killed after ``delay``."""
        began = time.monotonic()
        self._log.write_text("")
        pid = forked(lambda: verb.run(self.place), self._be_a_command)
        killed, self.code, ended = False, None, None
        while True:
            try:
                gone, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return killed
            if gone == pid:
                self.code, ended = os.waitstatus_to_exitcode(status), time.monotonic()
            if gone:
                continue
            passed = time.monotonic() - began
            if delay is not None and not killed and self.code is None and passed >= delay:
                killed = True
                if whom == "all":
                    _kill(_descendants())
                else:
                    os.kill(pid, signal.SIGKILL)
            if passed > _PATIENCE_S or (ended is not None and time.monotonic() - ended > 20.0):
                left = _descendants()
                _kill(left)
                raise LeftBehind(f"{verb.name}: processes live on: {left}")
            time.sleep(0.002)

    def _be_a_command(self) -> None:
        """First call in the process of a command."""
        os.setsid()
        log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)

    def _look(self, verb: Verb, *, rebuild: bool) -> list[str]:
        """What is wrong after a kill."""
        shown = self._log.read_text(errors="replace")
        faults = ["a traceback was shown"] if "Traceback" in shown else []
        if verb.name == "doctor" and not (self.place.workspace / "ledger.sqlite").is_file():
            return faults  # the next call makes it again
        said = acknowledged(self._said)
        return faults + self._apart(lambda: faults_after(self.place, said, self._given, rebuild=rebuild))

    def _finish(self, verb: Verb) -> list[str]:
        """Let a verb go on to its end; what is wrong then."""
        self._run(verb)
        if self.code:
            return [f"it did not go on: exit code {self.code}: {self._log.read_text(errors='replace')[-2000:]}"]
        faults = self._look(verb, rebuild=False)
        found = self._apart(lambda: outcome(self.place))
        usual = self._usual[verb.name].outcome
        differ = [name for name in usual.keys() | found.keys() if usual.get(name) != found.get(name)]
        for name in sorted(differ):
            here, there = str(found.get(name))[:400], str(usual.get(name))[:400]
            faults.append(f"not the uninterrupted result: {name}: {here} instead of {there}")
        return faults

    # --- beginnings ---------------------------------------------------------------------------------------------

    def _begin_from(self, name: str) -> None:
        """Make the trial what a verb begins from; what is needed for it is run first."""
        if (self.place.root / "saved" / name).is_dir():
            self._restore(name)
        elif name == "lost":
            self._begin_from("corrected")
            lose_ledger(self.place.workspace)
            self._save(name, self._said.read_text())
        else:
            before, verb = BEFORE[name]
            self._begin_from(before)
            usual = self._uninterrupted(VERBS[verb])
            if VERBS[verb].begins == before:
                self._usual[verb] = usual
            self._save(name)

    def _uninterrupted(self, verb: Verb) -> Usual:
        began = time.monotonic()
        if self.faults is not None:
            self.faults.count(self.place.trial)
        self._run(verb)
        seconds = time.monotonic() - began
        if self.faults is not None:
            self.faults.stop()
        counts = self.faults.counts if self.faults is not None else ()
        faults = [*self._look(verb, rebuild=False), *([f"exit code {self.code}"] if self.code else [])]
        if faults:
            raise RuntimeError(f"{verb.name} does not work uninterrupted: {faults}\n{self._log.read_text()}")
        return Usual(seconds, counts, self._apart(lambda: outcome(self.place)))

    def _save(self, name: str, said: str | None = None) -> None:
        self.place.save(name)
        if said is None:
            rows = ledger_rows(self.place.workspace)
            lines: list[dict[str, Any]] = [
                *({"label": row["id"], "sha256": row["sha256"]} for row in rows.get("labels", ())),
                *({"review": row["label_id"], "state": row["state"]} for row in rows.get("reviews", ())),
                *({"decision": row["label_id"], "keep": bool(row["keep"])} for row in rows.get("decisions", ())),
            ]
            said = "".join(json.dumps(line) + "\n" for line in lines)
        (self.place.root / "saved" / f"{name}.said").write_text(said)
        self._said.write_text(said)

    def _restore(self, name: str) -> None:
        self.place.restore(name)
        shutil.copy(self.place.root / "saved" / f"{name}.said", self._said)

    def _apart(self, work: Callable[[], Any]) -> Any:
        """The answer of a function that is called in a process of its own: this one must stay fit to be forked."""

        def answer() -> int:
            self._answer.write_text(json.dumps(work()))
            return 0

        pid = forked(answer)
        _, status = os.waitpid(pid, 0)
        if status:
            raise RuntimeError("looking at it failed, see above")
        return json.loads(self._answer.read_text())


class LeftBehind(Exception):
    """A killed command left processes."""


def plan(names: Iterable[str], kills: int) -> dict[str, int]:
    """How many kills each verb gets."""
    chosen = [VERBS[name] for name in names]
    whole = sum(verb.share for verb in chosen)
    return {verb.name: max(1, round(kills * verb.share / whole)) for verb in chosen}


def record(chain: Chain) -> dict[str, Any]:
    """As it is kept."""
    return asdict(chain)


def _descendants() -> list[int]:
    def of(pid: int) -> Iterator[int]:
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in task.read_text().split():
                yield int(child)
                yield from of(int(child))

    try:
        return list(of(os.getpid()))
    except OSError:  # one ended meanwhile
        return _descendants()


def _kill(pids: list[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
