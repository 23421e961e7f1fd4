"""The device that a training has for itself."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from shared.settings import Settings

# A folder for each GPU of the machine, made by NVIDIA's driver.
GPU_FOLDERS = Path("/proc/driver/nvidia/gpus")


def choose_device(settings: Settings) -> str:
    """Return "cpu", "cuda" or "cuda:N": DEVICE, or else a GPU if PyTorch could use one.

    Nothing is imported for it: the server asks, too.
    """
    if settings.device != "auto":
        return settings.device
    has_gpu = GPU_FOLDERS.is_dir() and any(GPU_FOLDERS.iterdir())
    return "cuda:0" if has_gpu and not _is_cpu_build() else "cpu"


def _is_cpu_build() -> bool:
    try:
        return "+cpu" in version("torch")
    except PackageNotFoundError:
        return True
