"""Weights for EasyOCR that nobody trained: what is dark is text, and letters are arbitrary."""

import hashlib
from pathlib import Path
from typing import Any

import pytest


def save_weights(folder: Path) -> Path:
    """Save a detector and a recognizer under the names of the published ones."""
    import torch
    from easyocr.config import recognition_models

    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(_with_prefix(_dark_is_text()), folder / "craft_mlt_25k.pth")
    from easyocr.model.vgg_model import Model

    english = recognition_models["gen2"]["english_g2"]
    recognizer = Model(1, 256, 256, len(english["characters"]) + 1)
    with torch.no_grad():  # all of them: `publish` leaves what the network was made with unset
        for name, weights in recognizer.named_parameters():
            if weights.dim() > 1:
                bound = 3 / weights[0].numel() ** 0.5
                weights.uniform_(-bound, bound)
            elif "bias" in name:
                weights.zero_()
        recognizer.Prediction.bias[0] = -5  # seldom nothing at all
    torch.save(_with_prefix(recognizer.state_dict()), folder / english["filename"])
    return folder


def publish(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Let EasyOCR take the files of a folder for those that it publishes.

    Networks get no random weights before those of a file, which takes most of the time of loading.
    """
    import torch
    from easyocr.config import detection_models, recognition_models

    for name in ("kaiming_uniform_", "kaiming_normal_", "xavier_uniform_", "uniform_"):
        patch.setattr(torch.nn.init, name, lambda weights, *_, **__: weights)

    for model in (detection_models["craft"], recognition_models["gen2"]["english_g2"]):
        digest = hashlib.md5((folder / model["filename"]).read_bytes()).hexdigest()
        patch.setitem(model, "md5sum", digest)


def _with_prefix(state: Any) -> dict[str, Any]:
    return {f"module.{key}": value for key, value in state.items()}


def _dark_is_text() -> Any:
    """Return a detector whose text score is how dark the image is; all else is zero.

    The darkness goes through the first channel of each layer: four of VGG at full and half size,
    the last fusion, which gets these behind 64 channels of others, and the head.
    """
    import torch
    from easyocr.craft import CRAFT

    network = CRAFT(pretrained=False)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.weight.zero_()
                if module.bias is not None:
                    module.bias.zero_()
        convolutions = [
            module for module in network.basenet.slice1 if isinstance(module, torch.nn.Conv2d)
        ]
        convolutions[0].weight[0, :, 1, 1] = -1 / 3
        convolutions[0].bias[0] = 2.3  # white is 2.4 after the normalization
        for module in convolutions[1:]:
            module.weight[0, 0, 1, 1] = 1
        fusion = [m for m in network.upconv4.conv if isinstance(m, torch.nn.Conv2d)]
        fusion[0].weight[0, 64] = 1
        fusion[1].weight[0, 0] = 1 / 9
        head = [m for m in network.conv_cls if isinstance(m, torch.nn.Conv2d)]
        for module in head:
            size = module.kernel_size[0]
            module.weight[0, 0, size // 2, size // 2] = 1
        head[-1].weight[0, 0] = 0.7
    return network.state_dict()
