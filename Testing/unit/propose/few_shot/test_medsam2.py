"""MedSAM2's layout with random weights: loads strictly, and gives what the package's own predictor gives."""

import numpy as np
import torch
from hydra import initialize_config_module
from PIL import Image

from LiverSegSSLLib.propose.few_shot.engine import Engine
from LiverSegSSLLib.propose.few_shot.features import Stack
from LiverSegSSLLib.propose.few_shot.hydra_state import hydra_untouched
from LiverSegSSLLib.propose.few_shot.network import NetworkSpec, build_network, load_network

OVERRIDES = [
    "++model.image_size=512",
    "++model.memory_attention.layer.self_attention.feat_sizes=[32,32]",
    "++model.memory_attention.layer.cross_attention.feat_sizes=[32,32]",
]
"""METHODS 7.1: MedSAM2 has the keys and shapes of SAM 2.1 tiny."""


def packages_own(checkpoint, folder, mask):
    """Logits of two JPEG frames by the package, its builder and its way of reading frames; and the frames."""
    with hydra_untouched(), initialize_config_module("sam2", version_base="1.2"):
        from sam2.build_sam import build_sam2_video_predictor

        predictor = build_sam2_video_predictor(
            "configs/sam2.1/sam2.1_hiera_t.yaml", str(checkpoint), device="cpu", hydra_overrides_extra=OVERRIDES
        )
    # Without its compiled extension it warns on every frame that holes are not filled, and goes on.
    predictor.fill_hole_area = 0
    state = predictor.init_state(str(folder))
    predictor.add_new_mask(state, 0, 1, mask)
    return torch.cat([logits for _, _, logits in predictor.propagate_in_video(state)]), state["images"]


def test_the_same_logits_as_the_package(tmp_path):
    network = build_network(NetworkSpec(), seed=1)
    with torch.no_grad():  # else a network that has learnt nothing says that the object is gone
        network.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(5.0)
    torch.save({"model": network.state_dict()}, tmp_path / "MedSAM2_latest.pt")
    del network
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in range(2):
        picture = np.random.default_rng(number).integers(0, 255, (64, 64, 3), np.uint8)
        Image.fromarray(picture).resize((512, 512)).save(frames / f"{number}.jpg")
    mask = torch.zeros(512, 512, dtype=torch.bool)
    mask[100:300, 150:400] = True
    expected, images = packages_own(tmp_path / "MedSAM2_latest.pt", frames, mask)
    loaded = load_network(tmp_path / "MedSAM2_latest.pt")
    assert loaded.spec == NetworkSpec("sam2.1-tiny", 512)
    engine = Engine(loaded)
    found = engine.track(engine.encode(Stack(images)), {0: mask})
    enlarged = torch.nn.functional.interpolate(found, size=(512, 512), mode="bilinear", align_corners=False)
    assert (enlarged - expected).abs().max() < 1e-3
    assert expected[1].std() > 0.01
