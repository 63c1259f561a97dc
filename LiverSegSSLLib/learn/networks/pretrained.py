"""Weights of another training for a network: read, checked name by name, fitted. Used where torch is.

Reads checkpoints of nnU-Net 1 (``state_dict``: STU-Net's published ``small_ep4k.model`` and its siblings) and of
nnU-Net 2 (``network_weights``: ours, nnU-Net's and STU-Net's own fine-tuned ones).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from LiverSegSSLLib.checkpoint import load_checkpoint
from LiverSegSSLLib.errors import WeightsError
from LiverSegSSLLib.models.fingerprint import STUNET_FIRST, STUNET_SIZES

HEADS = ("seg_outputs.", "decoder.seg_layers.")
"""How the names of output layers begin: STU-Net's, nnU-Net's."""

LAYOUTS = ("network_weights", "state_dict")
"""Under which key a checkpoint holds the weights: nnU-Net 2, nnU-Net 1."""

_WRAPPERS = ("module.", "_orig_mod.")  # of distributed and of compiled networks


@dataclass(frozen=True)
class Fitted:
    """Weights that fit a network.

    ``heads_kept``: the output layers are the checkpoint's, too; otherwise the network's own, as it drew them.
    ``repeated``: input channels that one channel of the checkpoint was spread over; 1: as they were.
    """

    weights: Mapping[str, Tensor]
    heads_kept: bool
    repeated: int = 1

    @property
    def note(self) -> str:
        """What was done, for people."""
        heads = "its output layers too" if self.heads_kept else "output layers drawn anew"
        if self.repeated == 1:
            return heads
        return f"{heads}; its one input channel spread over {self.repeated}, each with 1/{self.repeated} of the weight"


def begin_with(network: nn.Module, checkpoint: Path, keep_heads: bool) -> Fitted:
    """Give a network the weights of a checkpoint, except its output layers unless they are kept and fit.

    :raises BadInputError: the file cannot be read, or not be trusted.
    :raises WeightsError: it holds no weights, or those of another network.
    """
    fitted = fit(network.state_dict(), read_weights(checkpoint), keep_heads, checkpoint.name)
    network.load_state_dict(dict(fitted.weights))
    return fitted


def read_weights(checkpoint: Path, device: Any = "cpu") -> dict[str, Tensor]:
    """The weights in a checkpoint by their names in the network.

    :param device: ``meta``: names and shapes alone, which costs no memory.
    :raises WeightsError: it holds none, or some that are not numbers.
    """
    content = load_checkpoint(checkpoint, device)
    found = next((content[key] for key in LAYOUTS if isinstance(content.get(key), Mapping)), None)
    if not found or not all(isinstance(value, Tensor) for value in found.values()):
        keys = ", ".join(sorted(map(str, content))[:4]) or "nothing"
        raise WeightsError(
            f"holds no weights of an nnU-Net network (it holds {keys})",
            checkpoint.name,
            "give a checkpoint of nnU-Net, or an STU-Net of `liversegssl models list`",
        )
    weights = {_bare(name): value for name, value in found.items()}
    for name, value in weights.items():
        if value.device.type != "meta" and not value.isfinite().all():
            raise WeightsError(f"{name} holds values that are not numbers", checkpoint.name, "fetch or train it again")
    return weights


def fit(own: Mapping[str, Tensor], given: Mapping[str, Tensor], keep_heads: bool, where: str) -> Fitted:
    """The weights of a network with those given in their place.

    Every name but those of output layers must be in both, with one shape. A checkpoint of one input channel fits a
    network of C: its first convolutions are repeated and divided by C, so that C equal channels are seen as the one
    was. (The authors' code does not divide, which changes the balance of a block and its shortcut.)

    :raises WeightsError: they are those of another network; it says which.
    """
    body = {name for name in own if not name.startswith(HEADS)}
    heads = {name for name in own if name.startswith(HEADS)}
    offered = {name: value for name, value in given.items() if name in heads}
    heads_kept = keep_heads and bool(heads) and _same_shapes(offered, {name: own[name] for name in heads})
    taken = {name: value for name, value in given.items() if not name.startswith(HEADS)}
    repeated = 1
    for name in body & taken.keys():
        channels = _spread(own[name], taken[name])
        if channels > 1:
            repeated = channels
            taken[name] = taken[name].repeat_interleave(channels, dim=1) / channels
    if not _same_shapes(taken, {name: own[name] for name in body}):
        raise _misfit({name: own[name] for name in body}, taken, where)
    return Fitted({**own, **taken, **(offered if heads_kept else {})}, heads_kept, repeated)


def _bare(name: str) -> str:
    while name.startswith(_WRAPPERS):
        name = name.split(".", 1)[1]
    return name


def _same_shapes(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(one[name].shape == other[name].shape for name in one)


def _spread(own: Tensor, given: Tensor) -> int:
    """Over how many input channels a convolution of one must be spread; 1: none, or it is no such thing."""
    if own.ndim != 5 or given.ndim != 5 or given.shape[1] != 1 or own.shape[2:] != given.shape[2:]:
        return 1
    return int(own.shape[1]) if own.shape[0] == given.shape[0] else 1


def _misfit(own: Mapping[str, Tensor], given: Mapping[str, Tensor], where: str) -> WeightsError:
    """Why weights do not fit: the size where both are STU-Net, else the first difference."""
    if STUNET_FIRST in own and STUNET_FIRST in given and (sizes := (_size(given), _size(own)))[0] != sizes[1]:
        remedy = "choose the preset and the weights of one size: stunet-s with models:stunet-small, and so on"
        return WeightsError(f"is STU-Net {sizes[0]}, the network to train is STU-Net {sizes[1]}", where, remedy)
    remedy = "begin with weights of the same network, or change the preset to theirs"
    if not own.keys() & given.keys():
        return WeightsError(
            f"is another network than the one to train (it has {min(given, default='no layers')})", where, remedy
        )
    for name in sorted(own.keys() | given.keys()):
        if name not in given:
            what = f"lacks {name}, which the network to train has"
        elif name not in own:
            what = f"has {name}, which the network to train lacks"
        elif own[name].shape != given[name].shape:
            what = f"has {name} as {tuple(given[name].shape)}, the network to train as {tuple(own[name].shape)}"
        else:
            continue
        return WeightsError(f"does not fit: it {what}", where, remedy)
    raise AssertionError("they do fit")  # the caller has found a difference


def _size(weights: Mapping[str, Tensor]) -> str:
    channels = int(weights[STUNET_FIRST].shape[0])
    return STUNET_SIZES.get(channels, f"of {channels} channels")
