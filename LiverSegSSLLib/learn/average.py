"""A running average of a network's weights: in training it goes along, in the end it is the model."""

from __future__ import annotations

from torch import Tensor, nn

Weights = dict[str, Tensor]


class WeightAverage:
    """Averages the weights of a network after every step, and puts the average into the network and out again.

    :param module: the network itself, without wrappers.
    :param decay: of the average, for each step.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._module = module
        self._decay = decay
        self._average: Weights | None = None
        self._steps = 0
        self.raw: Weights | None = None
        """While the average is in the network: the weights that the optimiser works on."""

    def update(self) -> None:
        """Take the network's present weights into the average."""
        weights = self._module.state_dict()
        if self._average is None:
            self._average = _copied(weights)
            return
        # Early on the memory is short, or the first weights would linger.
        self._steps += 1
        decay = min(self._decay, self._steps / (self._steps + 10))
        for name, value in weights.items():
            self._average[name].lerp_(value, 1 - decay)

    def swap_in(self) -> None:
        """Put the average into the network; nothing happens where it is in already, or nothing was averaged yet."""
        if self._average is not None and self.raw is None:
            self.raw = _copied(self._module.state_dict())
            self._module.load_state_dict(self._average)

    def swap_out(self) -> None:
        """Go on with the weights that the optimiser works on."""
        if self.raw is not None:
            self._module.load_state_dict(self.raw)
            self.raw = None

    def resume(self, raw: Weights, steps: int) -> None:
        """Go on after ``steps`` updates: the network holds the average now, and then the weights ``raw``."""
        self._average = _copied(self._module.state_dict())
        self._module.load_state_dict(raw)
        self._steps = steps - 1


def _copied(weights: Weights) -> Weights:
    return {name: value.clone() for name, value in weights.items()}
