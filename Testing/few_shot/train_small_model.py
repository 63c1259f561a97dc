"""Train the small SAM 2 network that the tests use, on phantom patients, in minutes on one core.

    python -m Testing.few_shot.train_small_model Testing/few_shot/small_phantom_sam2.pt

The result is a **test asset**: it shows that this library's code carries a mask from one volume to another. It has seen
nothing but the phantom and is no clinical evidence of anything.

First the image encoder learns organs; then, with the encoder frozen and its features computed once, memory and decoder
learn to find what was prompted.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from LiverSegSSLLib.atomic import write_bytes
from LiverSegSSLLib.propose.few_shot.network import NetworkSpec, build_network, small_spec
from Testing.few_shot.clips import Pool, Stack, draw_clips, draw_pool, stacks_of
from Testing.few_shot.lessons import Lesson, guides_of, organ_heads, organ_loss, with_features

TRAINING_SEEDS = range(1000, 1024)
"""Patients; tests and figures take others."""


@dataclass(frozen=True)
class Plan:
    """How long and how.

    :param spaces: how often a look is of each image space (plain, Sobel, inverted).
    :param looks: drawn once; ``slices``: of each patient in each look.
    :param organs: steps in which the encoder learns organs, ``organ_batch`` slices each.
    :param clips: steps in which memory and decoder learn, ``batch`` clips each.
    :param prompts: labelled frames of a clip; ``tracked``: frames of its run.
    """

    spec: NetworkSpec
    spaces: tuple[float, float, float] = (0.6, 0.3, 0.1)
    looks: int = 24
    slices: int = 12
    organs: int = 350
    organ_batch: int = 24
    clips: int = 450
    batch: int = 6
    prompts: int = 4
    tracked: int = 4
    rate: float = 1e-3
    seed: int = 1


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and write the checkpoint, in half precision."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    plan = Plan(small_spec(128, memory=32))
    network = train(plan, [stacks_of(seed, plan.spec.image_size) for seed in TRAINING_SEEDS])
    save_half(network, chosen.out)


def train(plan: Plan, patients: Sequence[Sequence[Stack]]) -> Any:
    """Both stages; progress on standard error."""
    network = build_network(plan.spec, seed=plan.seed)
    pool = draw_pool(patients, plan.looks, plan.slices, plan.spaces, plan.seed)
    learn_organs(network, pool, plan)
    learn_clips(network, with_features(network, pool), plan)
    return network.eval()


def learn_organs(network: Any, pool: Pool, plan: Plan) -> None:
    """The image encoder alone."""
    torch.manual_seed(plan.seed)
    rng = np.random.default_rng(plan.seed)
    heads = organ_heads(network)
    learnt = [*network.image_encoder.parameters(), *heads.parameters()]
    learnt += [*network.sam_mask_decoder.conv_s0.parameters(), *network.sam_mask_decoder.conv_s1.parameters()]
    grey, organs = pool.grey.flatten(0, 2), pool.organs.flatten(0, 2)

    def step() -> tuple[torch.Tensor, float]:
        chosen = torch.from_numpy(rng.choice(len(grey), plan.organ_batch, replace=False))
        return organ_loss(network, heads, grey[chosen], organs[chosen])

    _learn("organs", learnt, step, plan.organs, 2 * plan.rate)


def learn_clips(network: Any, pool: Pool, plan: Plan) -> None:
    """Memory, memory attention and decoder."""
    torch.manual_seed(plan.seed)
    rng = np.random.default_rng(plan.seed)
    guides = guides_of(network)
    lesson = Lesson(network, guides, pool)
    # A mask that is switched off where the network sees no object would get no gradient.
    network.pred_obj_scores = False
    _learn(
        "clips",
        [*network.parameters(), *guides.parameters()],
        lambda: lesson(draw_clips(pool, plan.batch, plan.prompts, plan.tracked, rng), rng),
        plan.clips,
        plan.rate,
    )
    network.pred_obj_scores = True


def _learn(
    name: str,
    parameters: Iterable[torch.nn.Parameter],
    step: Callable[[], tuple[torch.Tensor, float]],
    steps: int,
    rate: float,
) -> None:
    """AdamW with one rise and fall of its rate; loss and accuracy or Dice on standard error twenty times."""
    chosen = list(parameters)
    optimiser = torch.optim.AdamW(chosen, lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, steps + 1, pct_start=0.1, cycle_momentum=False)
    began, recent = time.monotonic(), []
    for number in range(steps):
        loss, overlap = step()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(chosen, 1.0)
        optimiser.step()
        schedule.step()
        recent.append((float(loss.detach()), overlap))
        if (number + 1) % max(1, steps // 20) == 0:
            mean_loss, mean_right = np.mean(recent, axis=0)
            seconds = time.monotonic() - began
            sys.stderr.write(f"{name} {number + 1}  loss {mean_loss:.3f}  right {mean_right:.3f}  {seconds:.0f} s\n")
            recent = []


def save_half(network: Any, path: Path) -> None:
    """The checkpoint in half precision, otherwise in the layout of the library's ``save_network``."""
    state = {name: value.detach().half() for name, value in network.state_dict().items()}
    content = io.BytesIO()
    torch.save({"model": state, "spec": network.spec.as_dict()}, content)
    write_bytes(path, content.getvalue())


if __name__ == "__main__":
    main()
