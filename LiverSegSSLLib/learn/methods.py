"""The ways to learn, by name, and the numbers of those that also learn from unlabelled images; as data, without torch.

``ramp`` is always the share of the training over which a weight grows by
:func:`~LiverSegSSLLib.learn.semi.ramps.gaussian_ramp`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Method = Literal["supervised", "cps", "mean-teacher", "bcp", "midss"]

SUPERVISED: Method = "supervised"

TRAINERS: Mapping[str, str] = MappingProxyType(
    {
        SUPERVISED: "LiverSegTrainer",
        "cps": "CpsTrainer",
        "mean-teacher": "MeanTeacherTrainer",
        "bcp": "BcpTrainer",
        "midss": "MidssTrainer",
    }
)
"""Method → the class that nnU-Net looks up by name."""


SECOND_NETWORK = "second"
"""Name, in checkpoints, of the network that cross pseudo supervision trains beside the first."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Cps(_Strict):
    """Cross pseudo supervision (Chen et al. 2021; METHODS 4.3)."""

    weight: float = Field(default=1.0, ge=0)
    """λ of eq. 7 at the end of the ramp. No source states it for this task; TorchSemiSeg has 1.5, SSL4MIS 0.1."""
    ramp: float = Field(default=0.4, ge=0, le=1)
    on_labelled: bool = True
    """Also on the labelled images (eq. 6), not on the unlabelled alone."""
    supervised_loss: Literal["nnunet", "ce"] = "nnunet"
    """nnU-Net's Dice and cross entropy, or cross entropy alone as in eq. 4."""
    deep_supervision: bool = False
    """Cross supervision of every output with the other network's same one; else of the full resolution alone."""
    predict_with: Literal["first", "both"] = "first"
    """In prediction: the first network, as nnU-Net itself does, or the mean of both networks' logits."""


class MeanTeacher(_Strict):
    """Mean teacher (Tarvainen and Valpola 2017, as METHODS 6.3 has it)."""

    weight: float = Field(default=0.1, ge=0)
    """λ of eq. 3 at the end of the ramp."""
    ramp: float = Field(default=1.0, ge=0, le=1)
    consistency: bool = True
    """False: the labelled images alone teach, as in the released code, whose consistency term is overwritten."""
    noise: float = Field(default=0.1, ge=0)
    """Standard deviation of what is added to the teacher's (z-scored) image."""
    noise_limit: float = Field(default=0.2, gt=0)
    decay: float = Field(default=0.99, ge=0, lt=1)
    """Largest decay of the teacher's weights."""


class Bcp(_Strict):
    """Bidirectional copy-paste (Bai et al. 2023, METHODS 4.4)."""

    pretrain: float = Field(default=2000 / 17000, ge=0, lt=1)
    """Share of the iterations in which labelled images are pasted into labelled ones, before the teacher begins."""
    box: float = Field(default=2 / 3, gt=0, lt=1)
    """Side of the pasted box, as a fraction of the patch's."""
    unlabelled_weight: float = Field(default=0.5, ge=0)
    """Weight of the region with a pseudo label; the labelled one has 1."""
    largest_part: bool = True
    """Only the largest connected part of a pseudo label counts."""
    decay: float = Field(default=0.99, ge=0, lt=1)


class Midss(_Strict):
    """MiDSS (Ma et al. 2024, METHODS 4.5), in three dimensions."""

    weight: float = Field(default=1.0, ge=0)
    ramp: float = Field(default=1.0, ge=0, le=1)
    confidence: float = Field(default=0.95, ge=0.5, lt=1)
    """Probability from which a voxel of a pseudo label teaches."""
    in_plane: bool = True
    """Frequencies of each slice, as published; else of the volume."""
    window: float | None = Field(default=None, gt=0, le=0.5)
    """Half width of the exchanged low frequencies, as a fraction of an image side; ``None``: 0.01 in slices, as
    published, and 0.05 in the volume, whose sides are shorter. Below one voxel the mean alone is exchanged."""
    box: tuple[float, float] = (0.02, 0.4)
    """Least and largest share of the patch that is pasted."""
    decay: float = Field(default=0.99, ge=0, lt=1)

    @model_validator(mode="after")
    def _some_box(self) -> Midss:
        if not 0 < self.box[0] < self.box[1] < 1:
            raise ValueError("box needs two shares of the patch, the smaller one first")
        return self

    @property
    def half_width(self) -> float:
        """The window that is used."""
        return self.window or (0.01 if self.in_plane else 0.05)


METHOD_OPTIONS: dict[str, type[BaseModel]] = {"cps": Cps, "mean_teacher": MeanTeacher, "bcp": Bcp, "midss": Midss}
"""By the name of the training option that holds them."""
