"""Finds weights for Ultralytics: a starter, a file in MODEL_DIR, or those that it publishes."""

from pathlib import Path

from backends._inference.published_names import (
    PUBLISHED_DETECTORS,
    PUBLISHED_SEGMENTERS,
    suggest_published,
)
from backends._inference.short_process import call_in_process
from shared.backend.extras import require
from shared.backend.model_folder import find_model
from shared.errors import ModelError, short_path
from shared.settings import Settings

# The model name by which users choose the small model that comes with a backend.
STARTER = "starter"


def find_weights(model: str, settings: Settings, starter: Path) -> Path:
    """Return the file of the weights; Ultralytics downloads those that it publishes.

    `starter` is the file of the model named so. ModelError says where they were looked for.
    """
    found = find_local_weights(model, settings, starter)
    if found is not None:
        return found
    arguments = {"name": model, "target": str(_download_target(model, settings).resolve())}
    call_in_process(f"{__name__}:download_weights", arguments)
    return _download_target(model, settings)


def find_local_weights(model: str, settings: Settings, starter: Path) -> Path | None:
    """Return the file of the weights; None for a published name that was not downloaded yet."""
    if model == STARTER:
        return starter
    root = settings.model_dir.resolve()
    path = (root / Path(model).expanduser()).resolve()
    # Checked before the file is looked for: the error must not tell anyone which files exist.
    if not path.is_relative_to(root):
        raise ModelError(
            f"{short_path(model)} is outside MODEL_DIR, and weights can contain code: move it"
            " there, or set MODEL_DIR to its folder"
        )
    found = find_model(model, settings).resolve()
    if found.is_file():
        return found
    if "/" in model or "\\" in model:
        raise ModelError(f"{short_path(model)}: no such file in MODEL_DIR")
    downloaded = _download_target(model, settings)
    return downloaded if downloaded.is_file() else None


def _download_target(name: str, settings: Settings) -> Path:
    return settings.cache_dir / "ultralytics" / name


def download_weights(name: str, target: str) -> None:
    """Download weights that Ultralytics publishes into a file of their name.

    Ultralytics is imported for that, and PyTorch by it: a server has it done in a short process.
    """
    require("ultralytics", "detection")
    from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES, attempt_download_asset

    path = Path(target)
    if name not in GITHUB_ASSETS_NAMES:
        raise ModelError(
            f"{name} is neither a file in MODEL_DIR nor a pretrained model of Ultralytics"
            + suggest_published(name, PUBLISHED_DETECTORS | PUBLISHED_SEGMENTERS)
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        attempt_download_asset(path)
    except Exception as error:  # Ultralytics raises many kinds
        raise ModelError(_download_error(name, type(error).__name__)) from None
    if not path.is_file():
        raise ModelError(_download_error(name, "no file arrived"))


def _download_error(name: str, reason: str) -> str:
    return (
        f"{name} could not be downloaded ({reason}): check the network, or put the file into"
        " MODEL_DIR"
    )
