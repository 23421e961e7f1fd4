"""The device that a network runs on."""

import importlib.util
import os
import sys
from pathlib import Path

from shared.errors import ModelError
from shared.settings import Settings

# Engines that run on the CPU only, whatever DEVICE says.
CPU_ENGINES = frozenset({"openvino", "onnx"})
# In /dev, what Linux has for a GPU: NVIDIA's, also of Tegra and under WSL, and AMD's.
GPU_DEVICE_FILES = ("nvidia*", "nvhost*", "nvmap", "dxg", "kfd")

# Images that share a run of PyTorch on a GPU; on a CPU one image keeps all cores busy.
GPU_BATCH_IMAGES = 8


def available_cores() -> int:
    """Return how many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # on Linux only
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def batch_images(device: str) -> int:
    """Return how many images share a run of PyTorch."""
    return 1 if device == "cpu" else GPU_BATCH_IMAGES


def require_torch_engine(name: str, settings: Settings) -> None:
    """Raise ModelError if ENGINE names another engine than PyTorch, which alone runs a model."""
    if settings.engine not in {"auto", "torch"}:
        raise ModelError(f"ENGINE={settings.engine}: {name} runs on torch alone (auto)")


def choose_device(settings: Settings) -> str:
    """Return the device for the engine that ENGINE names: "cpu", "cuda" or "cuda:N"."""
    return "cpu" if settings.engine in CPU_ENGINES else choose_torch_device(settings)


def choose_torch_device(settings: Settings) -> str:
    """Return the device of a network that only PyTorch can run: DEVICE, else a GPU if any.

    ModelError if DEVICE names a GPU that PyTorch does not find.
    """
    if settings.device != "auto":
        if settings.device.startswith("cuda"):
            import torch

            check_gpu(settings.device, torch.cuda.device_count(), "PyTorch")
        return settings.device
    if not _may_have_gpu():
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def check_gpu(device: str, found: int, library: str) -> None:
    """Raise ModelError if a device is a GPU that is not among the `found` ones of a library."""
    kind, _, number = device.partition(":")
    if kind != "cuda" or found > int(number or 0):
        return
    what = {0: "no GPU", 1: "one GPU, cuda:0,"}.get(found, f"{found} GPUs, from cuda:0,")
    raise ModelError(
        f"DEVICE={device}: {library} finds {what} here; unset DEVICE to use what there is, or set"
        " DEVICE=cpu"
    )


def _may_have_gpu() -> bool:
    """Return whether it takes PyTorch to tell that there is no GPU that it can use."""
    if sys.modules.get("torch") is not None:
        return True
    if importlib.util.find_spec("torch") is None:
        return False
    return sys.platform != "linux" or any(
        next(Path("/dev").glob(pattern), None) is not None for pattern in GPU_DEVICE_FILES
    )
