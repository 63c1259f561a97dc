"""Who works on a workspace: people who review, and rounds that propose. Each is a process of its own.

``python -m Testing.together.people SETTINGS``, the settings as JSON. When it has ended it prints, as JSON, all that the
store has acknowledged to it and every turn it had at the ledger.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from LiverSegSSLLib.labels.label import LabelState
from LiverSegSSLLib.labels.store import LabelStore
from LiverSegSSLLib.rounds.reviewing import review_queue
from LiverSegSSLLib.score.review_order import ReviewItem
from Testing.together.waits import timed
from Testing.together.workspace import ball, case_ids, judged, propose

ROOT = Path(__file__).resolve().parents[2]

RECORDED_EACH = 10
"""Proposals between two scorings of all labels."""


@dataclass(frozen=True)
class Settings:
    """Of one process; it ends after so many ``actions`` or ``seconds``, whichever comes first.

    :param url: of the ledger; ``None``: the file in the workspace.
    :param think_s: how long a person looks at a label, at most.
    """

    role: str
    name: str
    workspace: str
    url: str | None
    seed: int
    studies: int
    actions: int = 10**9
    seconds: float = 10**9
    think_s: float = 0.0


@dataclass
class Acknowledged:
    """What a process was told is kept."""

    verdicts: list[tuple[str, str]] = field(default_factory=list)
    """Label and state."""
    corrections: list[str] = field(default_factory=list)
    proposals: list[str] = field(default_factory=list)
    decisions: dict[str, float] = field(default_factory=dict)
    """The need of the newest decision of each label."""
    turns: dict[str, list[float]] = field(default_factory=dict)

    @property
    def actions(self) -> int:
        """How many."""
        return len(self.verdicts) + len(self.corrections) + len(self.proposals)


def review(store: LabelStore, settings: Settings, done: Acknowledged) -> None:
    """A person: looks at the queue, opens a mask, thinks, says something about it."""
    chance = random.Random(settings.seed)
    began = time.monotonic()
    queue: list[ReviewItem] = []
    while done.actions < settings.actions and time.monotonic() - began < settings.seconds:
        queue = queue or review_queue(store, limit=20, slices=False)
        if not queue:
            time.sleep(0.02)
            continue
        # What was at the head of the queue a while ago: the other may have said something about it meanwhile.
        item = queue.pop(chance.randrange(len(queue)))
        label = store.label(item.label_id)
        store.read_mask(label)
        time.sleep(chance.uniform(0, settings.think_s))
        what = chance.random()
        if what < 0.3:
            correction = store.correct(label.id, ball(chance.uniform(3, 8)), author=settings.name, seconds=1.0)
            done.corrections.append(correction.id)
        else:
            state = LabelState.ACCEPTED if what < 0.8 else LabelState.REJECTED
            store.review(label.id, state, author=settings.name, seconds=1.0)
            done.verdicts.append((item.label_id, state.value))


def go_round(store: LabelStore, settings: Settings, done: Acknowledged) -> None:
    """A run: proposes for every case in turn, then records decisions on all labels at once, round after round."""
    began = time.monotonic()
    number = 1
    while done.actions < settings.actions and time.monotonic() - began < settings.seconds:
        number += 1
        for case_id in case_ids(settings.studies):
            if done.actions >= settings.actions or time.monotonic() - began >= settings.seconds:
                break
            done.proposals.append(propose(store, case_id, number, settings.name).id)
            if done.actions % RECORDED_EACH == 0:
                decide(store, done, number + done.actions / 10**6)
        decide(store, done, float(number))


def decide(store: LabelStore, done: Acknowledged, need: float) -> None:
    """Record a new decision on every label of the workspace that is proposed."""
    decisions = [judged(label, need) for label in store.labels(state=LabelState.PROPOSED)]
    store.record(*decisions)
    done.decisions |= {decision.label_id: decision.need for decision in decisions}


def start(settings: Settings) -> subprocess.Popen[str]:
    """Start a process."""
    return subprocess.Popen(
        [sys.executable, "-m", "Testing.together.people", json.dumps(asdict(settings))],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> Acknowledged:
    """Wait for a process; what it was told."""
    out, err = process.communicate()
    assert process.returncode == 0, err
    said = json.loads(out)
    said["verdicts"] = [tuple(verdict) for verdict in said["verdicts"]]
    return Acknowledged(**said)


def main(settings: Settings) -> None:
    """Work, then say what was acknowledged."""
    done = Acknowledged()
    with timed() as turns, LabelStore.open(Path(settings.workspace), settings.url) as store:
        {"reviewer": review, "round": go_round}[settings.role](store, settings, done)
    done.turns = turns.plain()
    sys.stdout.write(json.dumps(asdict(done)))


if __name__ == "__main__":
    main(Settings(**json.loads(sys.argv[1])))
