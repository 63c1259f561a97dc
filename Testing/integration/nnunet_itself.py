"""nnU-Net's own predictor, which ours is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest


def nnunet_masks(
    model: Path,
    folds: tuple[int | str, ...],
    images: Mapping[str, Path],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, Path]:
    """Masks of images (case id → file) by nnU-Net itself, without mirroring, as files in ``folder``; by case id."""
    import torch
    from nnunetv2.inference import predict_from_raw_data

    from LiverSegSSLLib.engine import trainer_class

    # nnU-Net's lookup would import every trainer it ships, with their optional packages.
    monkeypatch.setattr(predict_from_raw_data, "recursive_find_trainer_class_by_name", trainer_class)
    predictor = predict_from_raw_data.nnUNetPredictor(
        tile_step_size=0.5, use_mirroring=False, device=torch.device("cpu"), allow_tqdm=False
    )
    predictor.initialize_from_trained_model_folder(str(model), folds)
    outputs = [str(folder / case_id) for case_id in images]
    predictor.predict_from_files_sequential([[str(image)] for image in images.values()], outputs)
    return {case_id: Path(f"{output}.nii.gz") for case_id, output in zip(images, outputs, strict=True)}
