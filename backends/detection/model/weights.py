"""Finds the weights of a network: the starter, a file in MODEL_DIR, or a published one."""

from pathlib import Path

from backends.detection.model.trained_network import FILE_NAME
from shared.backend.claim import ModelSpec
from shared.errors import ModelError, short_path
from shared.settings import Settings

STARTER = "starter"


def weights_of(spec: ModelSpec, settings: Settings) -> Path:
    """Return the file of a network's weights: a project's own, or those that settings name."""
    if not spec.trained_version:
        return find_weights(spec.model, settings)
    path = Path(spec.model) / FILE_NAME
    if not path.is_file():
        raise ModelError(
            f"the weights of {spec.label} are gone from TRAIN_DIR: train again, or roll back to the"
            " version before"
        )
    return path


def find_weights(model: str, settings: Settings) -> Path:
    """Return the file of the weights; Ultralytics downloads those that it publishes.

    Raises ModelError, which says where they were looked for.
    """
    return find_local_weights(model, settings) or _download_weights(model, settings)


def find_local_weights(model: str, settings: Settings) -> Path | None:
    """Return the file of the weights; None for a published name that was not downloaded yet."""
    if model == STARTER:
        return Path(__file__).parents[1] / "starter" / "shapes.pt"
    root = settings.model_dir.resolve()
    path = (root / Path(model).expanduser()).resolve()
    # Checked before the file is looked for: the error must not tell anyone which files exist.
    if not path.is_relative_to(root):
        raise ModelError(
            f"{short_path(model)} is outside MODEL_DIR, and weights can contain code: move it"
            " there, or set MODEL_DIR to its folder"
        )
    if path.is_file():
        return path
    if "/" in model or "\\" in model:
        raise ModelError(f"{short_path(model)}: no such file in MODEL_DIR")
    downloaded = _download_target(model, settings)
    return downloaded if downloaded.is_file() else None


def _download_target(name: str, settings: Settings) -> Path:
    return settings.cache_dir / "ultralytics" / name


def _download_weights(name: str, settings: Settings) -> Path:
    from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES, attempt_download_asset

    target = _download_target(name, settings)
    if name not in GITHUB_ASSETS_NAMES:
        raise ModelError(
            f"{name} is neither a file in MODEL_DIR nor a pretrained model of Ultralytics"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        attempt_download_asset(target)
    except Exception as error:  # Ultralytics raises many kinds
        raise ModelError(_download_error(name, type(error).__name__)) from None
    if not target.is_file():
        raise ModelError(_download_error(name, "no file arrived"))
    return target


def _download_error(name: str, reason: str) -> str:
    return (
        f"{name} could not be downloaded ({reason}): check the network, or put the file into"
        " MODEL_DIR"
    )
