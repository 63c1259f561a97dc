"""A model folder as nnU-Net writes it, with untrained networks of known weights."""

from __future__ import annotations

import json
from pathlib import Path

from LiverSegSSLLib.learn.options import load_preset
from LiverSegSSLLib.learn.plans import CONFIGURATION, plans_from_preset, with_options

FINGERPRINT = {
    "spacings": [[6.0, 4.0, 4.0]],
    "shapes_after_crop": [[16, 32, 32]],
    "foreground_intensity_properties_per_channel": {"0": {"mean": 0.0, "std": 1.0}},
}


def write_untrained_model(folder: Path, folds: int) -> Path:
    """Write it; fold ``n`` has the first weights of seed ``n``. Voxels of 6 × 4 × 4 mm, one channel, the liver."""
    import torch
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    preset = load_preset("cpu", {"configuration": {"patch_size": [16, 32, 32], "features_per_stage": [4] * 5}})
    plans = with_options(plans_from_preset(preset, "Dataset001_x", FINGERPRINT, 1), preset)
    (folder / "plans.json").write_text(json.dumps(plans))
    dataset = {"channel_names": {"0": "MRI"}, "labels": {"background": 0, "liver": 1}, "file_ending": ".nii.gz"}
    (folder / "dataset.json").write_text(json.dumps(dataset))
    architecture = plans["configurations"][CONFIGURATION]["architecture"]
    parts = [architecture[key] for key in ("network_class_name", "arch_kwargs", "_kw_requires_import")]
    for fold in range(folds):
        torch.manual_seed(fold)
        network = get_network_from_plans(*parts, 1, 2, deep_supervision=False)
        checkpoint = {
            "network_weights": network.state_dict(),
            "trainer_name": "LiverSegTrainer",
            "init_args": {"configuration": CONFIGURATION},
            "inference_allowed_mirroring_axes": None,
        }
        (folder / f"fold_{fold}").mkdir()
        torch.save(checkpoint, folder / f"fold_{fold}" / "checkpoint_final.pth")
    return folder
