"""How a training runs, as data: it stands in the plans under one key and travels with the model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from LiverSegSSLLib.errors import RecipeError
from LiverSegSSLLib.learn.methods import METHOD_OPTIONS, Bcp, Cps, MeanTeacher, Midss
from LiverSegSSLLib.resources import resource, table
from LiverSegSSLLib.spelling import advice

OPTIONS_KEY = "liversegssl"
"""The key in nnU-Net's plans that holds :class:`TrainingOptions`."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Augmentation(_Strict):
    """Random changes to a training patch. ``p_…`` are probabilities, pairs are ranges.

    ``scheme: nnunet`` uses nnU-Net's own and ignores the rest, except ``mirror_axes``.
    """

    scheme: Literal["nnunet", "contrast"] = "nnunet"
    mirror_axes: tuple[int, ...] = (0, 1, 2)
    """Array axes (z, y, x) that may be flipped, in training and in inference."""
    rotation_deg: tuple[float, float] = (-30.0, 30.0)
    p_rotation: float = Field(default=0.2, ge=0, le=1)
    scaling: tuple[float, float] = (0.7, 1.4)
    p_scaling: float = Field(default=0.2, ge=0, le=1)
    p_elastic: float = Field(default=0.0, ge=0, le=1)
    elastic_scale: tuple[float, float] = (0.2, 0.4)
    """Smoothness of the deformation as a fraction of the patch."""
    elastic_voxels: tuple[float, float] = (1.0, 4.0)
    """Largest displacement, in voxels of the network's grid."""
    p_remap: float = Field(default=0.0, ge=0, le=1)
    """Random curve over the intensities."""
    p_unordered: float = Field(default=0.0, ge=0, le=1)
    """Of the remapped patches, those whose curve may fall as well as rise: another contrast altogether."""
    remap_strength: float = Field(default=1.0, ge=0, le=1)
    """1: the random curve alone; less: mixed with the image as it is."""
    p_invert: float = Field(default=0.0, ge=0, le=1)
    gamma: tuple[float, float] = (0.7, 1.5)
    p_gamma: float = Field(default=0.3, ge=0, le=1)
    brightness: tuple[float, float] = (0.75, 1.25)
    p_brightness: float = Field(default=0.15, ge=0, le=1)
    p_bias_field: float = Field(default=0.0, ge=0, le=1)
    """Smooth multiplicative field, as a coil makes it."""
    bias_strength: float = Field(default=0.4, ge=0)
    noise_sd: tuple[float, float] = (0.0, 0.2)
    """In units of the image's standard deviation."""
    p_noise: float = Field(default=0.1, ge=0, le=1)
    blur_sigma: tuple[float, float] = (0.5, 1.0)
    p_blur: float = Field(default=0.2, ge=0, le=1)
    p_low_resolution: float = Field(default=0.25, ge=0, le=1)


class TrainingOptions(_Strict):
    """Everything that nnU-Net keeps as constants in its trainer class."""

    epochs: int = Field(default=1000, ge=1)
    iterations_per_epoch: int = Field(default=250, ge=1)
    val_iterations: int = Field(default=50, ge=1)
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = Field(default=0.01, gt=0)
    weight_decay: float = Field(default=3e-5, ge=0)
    warmup_epochs: int = Field(default=0, ge=0)
    average_weights: float = Field(default=0.0, ge=0, lt=1)
    """Decay per iteration of a running average of the weights, which becomes the model; 0: the last weights."""
    oversample_foreground: float = Field(default=0.33, ge=0, le=1)
    """Share of the patches that are centred on the liver."""
    probabilistic_oversampling: bool = False
    """Draw for each patch, instead of the last ones of each batch; needed when a batch holds one patch."""
    save_every: int = Field(default=10, ge=1)
    """Epochs between checkpoints: what a kill can lose."""
    augmentation_workers: int = Field(default=0, ge=0)
    """Processes that augment; 0: in the training process, which makes a training on CPU repeatable."""
    seed: int = 0
    augmentation: Augmentation = Augmentation()
    unlabelled_batch: int = Field(default=0, ge=0)
    """Unlabelled patches a step, for the methods that use some; 0: as many as labelled ones."""
    cps: Cps = Cps()
    mean_teacher: MeanTeacher = MeanTeacher()
    bcp: Bcp = Bcp()
    midss: Midss = Midss()


class Network(_Strict):
    """A network that takes the place of the planned one; the geometry stays (see ``learn/networks``)."""

    kind: Literal["stunet"]
    features_per_stage: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=2)
    """Channels of the encoder's stages, full resolution first."""
    blocks_per_stage: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=2)
    """Residual blocks of each stage, in the encoder and in the decoder."""

    @model_validator(mode="after")
    def _one_of_each(self) -> Network:
        if len(self.features_per_stage) != len(self.blocks_per_stage):
            raise ValueError("features_per_stage and blocks_per_stage need one number for each stage")
        return self


class Preset(_Strict):
    """A plan and a training: a file under ``Resources/Plans``.

    ``planner``: an nnU-Net planner class that decides on geometry and network from the data, of which
    ``configuration`` may replace some (see :func:`~LiverSegSSLLib.learn.planned.with_geometry`); or ``None``, and
    ``configuration`` is the geometry and the network itself.
    """

    name: str
    description: str
    planner: str | None = None
    gpu_memory_gb: float | None = None
    configuration: dict[str, Any] = {}
    plan_from: str | None = None
    """A ``plans.json``, or a model folder that holds one: its geometry is used, nothing is planned."""
    network: Network | None = None
    training: TrainingOptions = TrainingOptions()
    with_init: dict[str, Any] = {}
    """Training options that are others when the training begins with weights that exist."""
    inference: dict[str, Any] = {}
    """What suits the model in prediction: ``step_size``, ``mirroring``."""


def preset_names() -> list[str]:
    """Names of the shipped presets."""
    return sorted(path.stem for path in resource("Plans").glob("*.yaml"))


def network_names() -> list[str]:
    """Names of the presets whose network can take the place of another's."""
    return [name for name in preset_names() if table("Plans", f"{name}.yaml").get("network")]


def load_preset(
    name: str,
    overrides: Mapping[str, Any] | None = None,
    seed: int = 0,
    begins_with_weights: bool = False,
    network: str | None = None,
) -> Preset:
    """A shipped preset.

    :param overrides: options to change, of :class:`TrainingOptions` or one level down: ``{"epochs": 20,
        "augmentation": {"p_remap": 0.5}}``; ``configuration`` and ``network`` replace keys of those, ``plan_from``
        takes the geometry from another model.
    :param begins_with_weights: for a training that does not begin from scratch (the preset's ``with_init``).
    :param network: another preset, whose network takes the place of this one's; the geometry stays.
    :raises RecipeError: no such preset, no network of that name, or an option that is unknown or out of range.
    """
    if name not in preset_names():
        raise RecipeError("is not a training preset", name, advice(name, preset_names()))
    data = {"name": name, **table("Plans", f"{name}.yaml")}
    if network is not None:
        if network not in network_names():
            raise RecipeError("is not a network", network, advice(network, network_names()))
        other = table("Plans", f"{network}.yaml")
        data |= {key: other.get(key, {}) for key in ("network", "with_init")}
    changes = dict(overrides or {})
    configuration = {**data.get("configuration", {}), **changes.pop("configuration", {})}
    built = {**(data.get("network") or {}), **changes.pop("network", {})} or None
    plan_from = changes.pop("plan_from", None)
    begun = data.get("with_init", {}) if begins_with_weights else {}
    training = {**data.get("training", {}), **begun, "seed": seed, **changes}
    if isinstance(changes.get("augmentation"), Mapping):
        training["augmentation"] = {**data.get("training", {}).get("augmentation", {}), **changes["augmentation"]}
    try:
        return Preset.model_validate(
            {
                **data,
                "configuration": configuration,
                "plan_from": plan_from,
                "network": built,
                "training": training,
            }
        )
    except ValidationError as error:
        raise _explained(error, name) from None


def _explained(error: ValidationError, where: str) -> RecipeError:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    if first["type"] == "extra_forbidden":
        models: dict[str, type[BaseModel]] = {"augmentation": Augmentation, "network": Network, **METHOD_OPTIONS}
        known: Iterable[str] = next((models[key] for key in path[:-1] if key in models), TrainingOptions).model_fields
        return RecipeError(f"has no training option {path[-1]!r}", where, advice(path[-1], known))
    message = first["msg"].removeprefix("Value error, ").lower()
    return RecipeError(f"{'.'.join(path)}: {message}", where, "correct the option")
