"""The device that a network runs on."""

from shared.settings import Settings

# Engines that run on the CPU only, whatever DEVICE says.
CPU_ENGINES = frozenset({"openvino", "onnx"})


def choose_device(settings: Settings) -> str:
    """Return the device for the engine that ENGINE names: "cpu", "cuda" or "cuda:N"."""
    return "cpu" if settings.engine in CPU_ENGINES else choose_torch_device(settings)


def choose_torch_device(settings: Settings) -> str:
    """Return the device of a network that only PyTorch can run: DEVICE, else a GPU if any."""
    import torch

    if settings.device != "auto":
        return settings.device
    return "cuda" if torch.cuda.is_available() else "cpu"
