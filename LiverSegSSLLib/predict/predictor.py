"""One loaded ensemble: image in, probability and mask on the image's own grid out."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.inference.export_prediction import convert_predicted_logits_to_segmentation_with_correct_shape
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from LiverSegSSLLib.checkpoint import NETWORKS_KEY, load_checkpoint
from LiverSegSSLLib.components import largest_component
from LiverSegSSLLib.edges import follow_edges
from LiverSegSSLLib.engine import trainer_class
from LiverSegSSLLib.errors import BadInputError
from LiverSegSSLLib.plan_names import require_known_names
from LiverSegSSLLib.predict.settings import DEFAULTS, PredictionSettings
from LiverSegSSLLib.predict.windows import adaptive_step, window_starts
from LiverSegSSLLib.volume import Volume, axes_of, orient, resize_nearest

TRAINED = "give a model folder as the training wrote it"

ORIENTATION = "RAS"
"""The orientation in which models of this library see every image (nnU-Net's SimpleITKIOWithReorient)."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """``mask``: uint8 0/1; ``probability``: float32 in [0, 1]; both on the image's grid, in the image's file shape."""

    mask: Volume
    probability: Volume


class Ensemble:
    """The models of some folds, loaded once. Runs in a child process that has nnU-Net's variables.

    :param folds: averaged (nnU-Net averages their logits); ``None``: all there are.
    :raises BadInputError: it is not a model folder, or lacks a fold.
    """

    def __init__(
        self,
        model: Path,
        folds: Sequence[int | str] | None,
        device: str,
        settings: PredictionSettings = DEFAULTS,
    ) -> None:
        self.folds = tuple(folds) if folds is not None else available_folds(model)
        for fold in self.folds:
            if not (model / f"fold_{fold}" / "checkpoint_final.pth").is_file():
                raise BadInputError(f"has no trained fold {fold}", model, f"it has {available_folds(model)}")
        if not self.folds:
            raise BadInputError("holds no trained model", model, "give the folder that contains fold_0")
        plans = _read_json(model / "plans.json")
        require_known_names(plans, model / "plans.json")
        advice = _advice(plans, model / "plans.json")
        step = settings.step if settings.step is not None else advice.step_size
        mirroring = settings.mirroring if settings.mirroring is not None else advice.mirroring
        self.settings = settings
        self._predictor = _Predictor(
            tile_step_size=step,
            use_gaussian=True,
            use_mirroring=mirroring,
            perform_everything_on_device=device == "cuda",
            device=torch.device(device),
            allow_tqdm=False,
        )
        self._predictor.adaptive = settings.adaptive
        _load(self._predictor, model, self.folds, plans, advice.networks)
        self._reorients = "Reorient" in str(plans.get("image_reader_writer", ""))

    def predict(self, image: Volume) -> Prediction:
        """Segment one image."""
        axes = axes_of(image.geometry)
        turned = orient(image, ORIENTATION) if self._reorients else image
        array = turned.array.astype(np.float32)[None]
        if not np.isfinite(array).all():
            raise BadInputError("has voxels that are not numbers", None, "export the image again")
        properties: dict[str, Any] = {"spacing": list(turned.geometry.spacing_zyx)}
        mask, probability = self._on_image_grid(array, properties)
        if self.settings.edges:
            probability = follow_edges(turned, turned.with_array(probability)).array
            mask = (probability >= 0.5).astype(np.uint8)
        if self.settings.largest:
            mask = largest_component(mask).astype(np.uint8)
        back = [turned.with_array(mask), turned.with_array(probability)]
        if self._reorients:
            back = [orient(volume, axes) for volume in back]
        # The image's own geometry, not one that went there and back: no rounding.
        return Prediction(image.with_array(back[0].array), image.with_array(back[1].array))

    def _on_image_grid(self, array: np.ndarray, properties: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        predictor = self._predictor
        plans, configuration = predictor.plans_manager, predictor.configuration_manager
        preprocessor = configuration.preprocessor_class(verbose=False)
        if not array.any():  # nothing to crop to
            return np.zeros(array.shape[1:], np.uint8), np.zeros(array.shape[1:], np.float32)
        data, _, properties = preprocessor.run_case_npy(
            array, None, properties, plans, configuration, predictor.dataset_json
        )
        logits = predictor.predict_logits_from_preprocessed_data(torch.from_numpy(data))
        if self.settings.order == "resample_first":
            mask, probabilities = convert_predicted_logits_to_segmentation_with_correct_shape(
                logits, plans, configuration, predictor.label_manager, properties, return_probabilities=True
            )
            return (mask > 0).astype(np.uint8), np.ascontiguousarray(1.0 - probabilities[0], dtype=np.float32)
        # Two classes: softmax and argmax are a sigmoid of the difference and 1/2.
        logits = logits.float()
        probability = torch.sigmoid(torch.logsumexp(logits[1:], 0) - logits[0]).numpy()
        coarse = np.stack([probability > 0.5, probability]).astype(np.float32)
        shape = properties["shape_after_cropping_and_before_resampling"]
        mask, probability = resize_nearest(coarse[0], shape) > 0.5, resize_nearest(coarse[1], shape)
        return _uncropped(mask, properties, plans, np.uint8), _uncropped(probability, properties, plans, np.float32)


def available_folds(model: Path) -> tuple[int | str, ...]:
    """The trained folds of a model folder: numbers in order; ``("all",)`` if that is the only one."""
    found = [path.parent.name.removeprefix("fold_") for path in model.glob("fold_*/checkpoint_final.pth")]
    numbers = tuple(sorted(int(name) for name in found if name.isdigit()))
    return numbers or tuple(name for name in found if name == "all")


class _Predictor(nnUNetPredictor):
    """nnU-Net's predictor; the step may differ by axis."""

    adaptive = False

    def _internal_get_sliding_window_slicers(self, image_size: tuple[int, ...]) -> list[tuple[slice, ...]]:
        window = self.configuration_manager.patch_size
        if not self.adaptive or len(window) != len(image_size):
            slicers: list[tuple[slice, ...]] = super()._internal_get_sliding_window_slicers(image_size)
            return slicers
        starts = window_starts(image_size, window, adaptive_step(image_size, window, self.tile_step_size))
        return [
            (slice(None), *(slice(first, first + side) for first, side in zip(corner, window, strict=True)))
            for corner in itertools.product(*starts)
        ]


@dataclass(frozen=True)
class _Advice:
    """What plans of ours say of prediction."""

    step_size: float = 0.5
    mirroring: bool = True
    networks: tuple[str, ...] = ()


def _advice(plans: dict[str, Any], where: Path) -> _Advice:
    try:
        said = plans.get("liversegssl", {}).get("inference", {})
        advice = _Advice(
            float(said.get("step_size", 0.5)), bool(said.get("mirroring", True)), tuple(said.get("networks", ()))
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise BadInputError(f"cannot be read ({str(error)[:80]})", where, TRAINED) from None
    if not 0.05 <= advice.step_size <= 1:  # less would go on for days
        raise BadInputError(f"asks for windows {advice.step_size} of their size apart", where, TRAINED)
    return advice


def _load(
    predictor: nnUNetPredictor,
    model: Path,
    folds: Sequence[int | str],
    plans: dict[str, Any],
    further_networks: Sequence[str],
) -> None:
    """nnU-Net's ``initialize_from_trained_model_folder``, with the trainer looked up by us.

    :raises BadInputError: plans and checkpoints are damaged, or do not belong together.
    """
    files = [model / f"fold_{fold}" / "checkpoint_final.pth" for fold in folds]
    checkpoints = [load_checkpoint(file) for file in files]
    for file, checkpoint in zip(files, checkpoints, strict=True):
        for key in ("network_weights", "trainer_name", "init_args"):
            if key not in checkpoint:
                raise BadInputError(f"lacks {key!r}", file, TRAINED)
    first = checkpoints[0]
    dataset_json = _read_json(model / "dataset.json")
    manager, configuration, network = _network(first, plans, dataset_json, files[0])
    weights = [checkpoint["network_weights"] for checkpoint in checkpoints]
    for name in further_networks:
        further = [checkpoint.get(NETWORKS_KEY, {}) for checkpoint in checkpoints]
        weights += [networks[name]["weights"] for networks in further if name in networks]
    for index, given in enumerate(weights):
        _require_weights_of(network, given, files[index % len(files)])
    network.load_state_dict(first["network_weights"])
    predictor.manual_initialization(
        network,
        manager,
        configuration,
        weights,
        dataset_json,
        first["trainer_name"],
        first.get("inference_allowed_mirroring_axes"),
    )


def _network(
    checkpoint: Mapping[str, Any], plans: dict[str, Any], dataset_json: dict[str, Any], file: Path
) -> tuple[PlansManager, Any, torch.nn.Module]:
    """The network that a checkpoint was trained in, with weights of its own."""
    try:
        trainer = trainer_class(str(checkpoint["trainer_name"]))
    except (ImportError, RuntimeError, AssertionError, TypeError):
        # nnU-Net imports all of its own, some of which need more than is here; and takes any name in them for one.
        trainer = None
    if trainer is None:
        what = f"was trained by a method that is not known here ({checkpoint['trainer_name']})"
        raise BadInputError(what, file, "install what it comes from")
    try:
        manager = PlansManager(plans)
        configuration = manager.get_configuration(checkpoint["init_args"]["configuration"])
        network: torch.nn.Module = trainer.build_network_architecture(
            manager,
            configuration,
            determine_num_input_channels(manager, configuration, dataset_json),
            manager.get_label_manager(dataset_json).num_segmentation_heads,
            enable_deep_supervision=False,
        )
    except (KeyError, TypeError, ValueError, AttributeError, ImportError, RuntimeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        what = f"does not go with plans.json and dataset.json beside it ({reason[:120]})"
        raise BadInputError(what, file, TRAINED) from None
    return manager, configuration, network


def _require_weights_of(network: torch.nn.Module, weights: Any, file: Path) -> None:
    own = {name: value.shape for name, value in network.state_dict().items()}
    given = weights if isinstance(weights, Mapping) else {}
    if own != {name: getattr(value, "shape", None) for name, value in given.items()}:
        raise BadInputError("holds other weights than plans.json asks for", file, TRAINED)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0][:80]
        raise BadInputError(f"cannot be read ({reason})", path, TRAINED) from None
    if not isinstance(data, dict):
        raise BadInputError("cannot be read (it holds no names)", path, TRAINED)
    return data


def _uncropped(array: np.ndarray, properties: dict[str, Any], plans: Any, dtype: Any) -> np.ndarray:
    whole = np.zeros(properties["shape_before_cropping"], dtype)
    whole[tuple(slice(first, last) for first, last in properties["bbox_used_for_cropping"])] = array
    return np.ascontiguousarray(whole.transpose(plans.transpose_backward))
