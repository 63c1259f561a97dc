"""SAM 2 video networks from the package ``sam2``, by configuration only, and their checkpoints.

MedSAM2 is SAM 2.1 tiny at 512 pixels: the same keys and shapes, another ``image_size`` and another size of the rotary
tables of memory attention (METHODS 7.1). Any other size of SAM 2.0 or 2.1 works the same way; ``mini`` is a network of
ours with the same architecture and few channels, for tests and for training on a CPU.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from LiverSegSSLLib.atomic import write_bytes
from LiverSegSSLLib.checkpoint import load_checkpoint
from LiverSegSSLLib.errors import BadInputError, WeightsError
from LiverSegSSLLib.models.fingerprint import BLOCKS, PATCH_EMBEDDING, SAM2_ONLY_21, SAM2_SIZES

if TYPE_CHECKING:
    import torch

    from LiverSegSSLLib.propose.few_shot.predictor import TensorVideoPredictor

MEDSAM2_SIZE = 512
"""Pixels a side that MedSAM2 was trained at."""

CONFIGURATIONS = {
    f"sam2.{minor}-{size}": f"configs/sam2{'.1' if minor else ''}/sam2{'.1' if minor else ''}_hiera_{letter}.yaml"
    for minor in (0, 1)
    for size, letter in (("tiny", "t"), ("small", "s"), ("base-plus", "b+"), ("large", "l"))
}
"""The package's configuration of every published network."""

MINI = "sam2.1-mini"
"""SAM 2.1's architecture with the channels of :class:`Mini`."""

STRIDE = 32
"""Image sizes are multiples of it: patches of 4 pixels, tiled by the 8 × 8 window of the trunk's position code."""

PREDICTOR = "LiverSegSSLLib.propose.few_shot.predictor.TensorVideoPredictor"

POST_PROCESSING = (
    "++model.sam_mask_decoder_extra_args.dynamic_multimask_via_stability=true",
    "++model.sam_mask_decoder_extra_args.dynamic_multimask_stability_delta=0.05",
    "++model.sam_mask_decoder_extra_args.dynamic_multimask_stability_thresh=0.98",
    "++model.binarize_mask_from_pts_for_mem_enc=true",
)
"""What the package's builder of video predictors switches on; ``fill_hole_area`` is in :func:`build_network`."""

FILL_HOLE_AREA = 8
"""Pixels of a hole in the low-resolution mask that the package's builder lets be filled."""


@dataclass(frozen=True)
class Mini:
    """Channels of the ``mini`` network. ``width``: first stage of the trunk; ``hidden``: features (a multiple of 16);
    ``memory``: of a memory, dividing ``hidden``; ``stages``: blocks per stage of the trunk; ``layers`` and
    ``feedforward``: of memory attention; ``frames``: memories kept of frames that were tracked, and one."""

    width: int = 16
    hidden: int = 64
    memory: int = 16
    stages: tuple[int, int, int, int] = (1, 1, 2, 1)
    layers: int = 2
    feedforward: int = 128
    frames: int = 7


@dataclass(frozen=True)
class NetworkSpec:
    """Which network.

    :param variant: a key of :data:`CONFIGURATIONS`, or :data:`MINI`.
    :param image_size: pixels a side that slices are resized to.
    :param mini: channels, only of :data:`MINI`.
    :raises BadInputError: there is no such variant, or it cannot have this size.
    """

    variant: str = "sam2.1-tiny"
    image_size: int = MEDSAM2_SIZE
    mini: Mini | None = None

    def __post_init__(self) -> None:
        known = [*CONFIGURATIONS, MINI]
        if self.variant not in known:
            raise BadInputError(f"there is no network {self.variant!r}", "network", f"one of {', '.join(known)}")
        if self.image_size < 2 * STRIDE or self.image_size % STRIDE:
            raise BadInputError(
                f"the image size must be a multiple of {STRIDE} and at least {2 * STRIDE}, not {self.image_size}",
                "network",
            )
        if (self.variant == MINI) != (self.mini is not None):
            raise BadInputError(f"channels are given for {MINI} and for no other network", "network")
        if self.mini is not None and (self.mini.hidden % 16 or self.mini.hidden % self.mini.memory):
            raise BadInputError("the features must be a multiple of 16 and of the memory's channels", "network")

    @property
    def overrides(self) -> list[str]:
        """What differs from the package's configuration, in hydra's words."""
        side = self.image_size // 16
        attention = "++model.memory_attention.layer"
        return [
            f"++model._target_={PREDICTOR}",
            f"++model.image_size={self.image_size}",
            f"{attention}.self_attention.feat_sizes=[{side},{side}]",
            f"{attention}.cross_attention.feat_sizes=[{side},{side}]",
            *POST_PROCESSING,
            *(_mini_overrides(self.mini) if self.mini else ()),
        ]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> NetworkSpec:
        """The inverse of :meth:`as_dict`. Only numbers are taken: no configuration travels in a checkpoint.

        :raises BadInputError: it is not a specification.
        """
        try:
            mini = values["mini"]
            if mini is not None:
                kept = {field.name: mini[field.name] for field in fields(Mini)}
                numbers = {name: int(value) for name, value in kept.items() if name != "stages"}
                one, two, three, four = (int(blocks) for blocks in kept["stages"])
                mini = Mini(**numbers, stages=(one, two, three, four))
            return cls(str(values["variant"]), int(values["image_size"]), mini)
        except (KeyError, TypeError, ValueError):
            raise BadInputError("does not say which network it is", "specification") from None


def small_spec(image_size: int = 128, **channels: Any) -> NetworkSpec:
    """A network small enough for tests and for training on a CPU: 1.4 M parameters unless told otherwise."""
    return NetworkSpec(MINI, image_size, Mini(**channels))


def build_network(spec: NetworkSpec, device: Any = "cpu", *, seed: int | None = None) -> TensorVideoPredictor:
    """The network with random weights, ready for inference (``eval``).

    Holes are filled as the package does, that is, only on CUDA and only where its compiled extension exists;
    elsewhere it warns on every frame and leaves them, and we leave them without the warning.

    :param seed: of the random weights; ``None``: torch's state. The state of torch's generator is left as it was.
    """
    import torch

    from LiverSegSSLLib.propose.few_shot.hydra_state import hydra_of_sam2

    with hydra_of_sam2() as (compose, instantiate, to_plain), torch.random.fork_rng(devices=[]):
        if seed is not None:
            torch.manual_seed(seed)
        base = CONFIGURATIONS.get(spec.variant, CONFIGURATIONS["sam2.1-tiny"])
        area = FILL_HOLE_AREA if torch.device(device).type == "cuda" and _holes_can_be_filled() else 0
        configuration = compose(config_name=base, overrides=[*spec.overrides, f"++model.fill_hole_area={area}"])
        to_plain(configuration)
        network: TensorVideoPredictor = instantiate(configuration.model, _recursive_=True)
    network.spec = spec
    return network.to(device).eval()


def save_network(network: TensorVideoPredictor, path: Path) -> None:
    """Write a checkpoint in the published layout, ``{'model': …}``, and which network it is."""
    import torch

    content = io.BytesIO()
    state = {name: value.detach().cpu() for name, value in network.state_dict().items()}
    torch.save({"model": state, "spec": network.spec.as_dict()}, content)
    write_bytes(Path(path), content.getvalue())


def load_network(
    path: Path | str, spec: NetworkSpec | None = None, *, image_size: int | None = None, device: Any = "cpu"
) -> TensorVideoPredictor:
    """A network with the weights of a checkpoint; every key must be there and fit.

    :param spec: which network; ``None``: the one the checkpoint says, or else the published one whose shapes it has.
    :param image_size: pixels a side where the checkpoint does not say; ``None``: MedSAM2's 512.
    :raises BadInputError: the file is missing, damaged or holds something that could run.
    :raises WeightsError: it holds the weights of another network (says which).
    """
    path = Path(path)
    checkpoint = load_checkpoint(path)
    state = checkpoint.get("model")
    if not isinstance(state, Mapping) or not _is_sam2(state):
        raise _not_sam2(path)
    if spec is None:
        spec = _spec_of(checkpoint, state, image_size or MEDSAM2_SIZE, path)
    network = build_network(spec)
    problem = _misfit(network.state_dict(), state)
    if problem:
        raise WeightsError(
            f"holds {describe(state)}, not {spec.variant}: {problem}", path.name, "name the network that it is"
        )
    network.load_state_dict(state)
    return network.to(device)


def spec_of(path: Path | str, image_size: int | None = None) -> NetworkSpec:
    """Which network a checkpoint holds, from its names and shapes alone; no weight is read into memory.

    :raises BadInputError: as :func:`load_network`.
    """
    checkpoint = load_checkpoint(path, device="meta")
    state = checkpoint.get("model")
    if not isinstance(state, Mapping) or not _is_sam2(state):
        raise _not_sam2(Path(path))
    return _spec_of(checkpoint, state, image_size or MEDSAM2_SIZE, Path(path))


def describe(state: Mapping[str, Any]) -> str:
    """The network that the names and shapes of a state dict are of."""
    if not _is_sam2(state):
        return "no SAM 2"
    channels = int(state[PATCH_EMBEDDING].shape[0])
    blocks = len({name.removeprefix(BLOCKS).split(".")[0] for name in state if name.startswith(BLOCKS)})
    minor = 1 if SAM2_ONLY_21 in state else 0
    size = SAM2_SIZES.get((channels, blocks))
    return f"sam2.{minor}-{size}" if size else f"a SAM 2.{minor} of {channels} channels and {blocks} blocks"


def _is_sam2(state: Mapping[str, Any]) -> bool:
    return getattr(state.get(PATCH_EMBEDDING), "ndim", 0) == 4


def _not_sam2(path: Path) -> WeightsError:
    return WeightsError("holds no weights of SAM 2", path.name, "use MedSAM2_latest.pt or a SAM 2 checkpoint")


def _spec_of(checkpoint: Mapping[str, Any], state: Mapping[str, Any], image_size: int, path: Path) -> NetworkSpec:
    if isinstance(checkpoint.get("spec"), Mapping):
        return NetworkSpec.from_dict(checkpoint["spec"])
    name = describe(state)
    if name not in CONFIGURATIONS:
        raise WeightsError(f"holds {name}, which is no published network", path.name, "say which network it is")
    return NetworkSpec(name, image_size)


def _misfit(wanted: Mapping[str, torch.Tensor], given: Mapping[str, Any]) -> str:
    """What keeps a state dict from being loaded, in a clause; empty: nothing."""
    if missing := sorted(set(wanted) - set(given)):
        return f"{len(missing)} of its weights are missing ({missing[0]})"
    if extra := sorted(set(given) - set(wanted)):
        return f"it has {len(extra)} weights too many ({extra[0]})"
    for name, tensor in wanted.items():
        shape = tuple(getattr(given[name], "shape", ()))
        if shape != tuple(tensor.shape):
            return f"{name} is {shape}, not {tuple(tensor.shape)}"
    return ""


def _mini_overrides(mini: Mini) -> list[str]:
    trunk, neck, attention = "++model.image_encoder.trunk", "++model.image_encoder.neck", "++model.memory_attention"
    memory, hidden = "++model.memory_encoder", mini.hidden
    before, third = sum(mini.stages[:2]), mini.stages[2]
    channels = [mini.width * factor for factor in (8, 4, 2, 1)]
    return [
        f"{trunk}.embed_dim={mini.width}",
        f"{trunk}.stages=[{','.join(map(str, mini.stages))}]",
        f"{trunk}.global_att_blocks=[{before + third - 1}]",
        f"{trunk}.window_spec=[8,4,8,4]",
        f"{neck}.d_model={hidden}",
        f"{neck}.position_encoding.num_pos_feats={hidden}",
        f"{neck}.backbone_channel_list=[{','.join(map(str, channels))}]",
        f"{attention}.d_model={hidden}",
        f"{attention}.num_layers={mini.layers}",
        f"{attention}.layer.d_model={hidden}",
        f"{attention}.layer.dim_feedforward={mini.feedforward}",
        f"{attention}.layer.self_attention.embedding_dim={hidden}",
        f"{attention}.layer.cross_attention.embedding_dim={hidden}",
        f"{attention}.layer.cross_attention.kv_in_dim={mini.memory}",
        f"{memory}.in_dim={hidden}",
        f"{memory}.out_dim={mini.memory}",
        f"{memory}.position_encoding.num_pos_feats={mini.memory}",
        f"{memory}.mask_downsampler.embed_dim={hidden}",
        f"{memory}.fuser.layer.dim={hidden}",
        f"++model.num_maskmem={mini.frames}",
    ]


def _holes_can_be_filled() -> bool:
    import importlib.util

    return importlib.util.find_spec("sam2._C") is not None
