"""Where a YOLO's file is: the starter, a file under MODEL_DIR, or a name Ultralytics knows."""

from pathlib import Path

from shared.errors import ModelError, short_path
from shared.settings import Settings

STARTER = "starter"


def find(model: str, settings: Settings) -> Path:
    """The weights' file, downloaded by Ultralytics if it is one of its names.

    ModelError says where it was looked for.
    """
    if model == STARTER:
        return Path(__file__).parents[1] / "starter" / "shapes.pt"
    root = settings.model_dir.resolve()
    place = (root / Path(model).expanduser()).resolve()
    if not place.is_relative_to(root):  # whether it is there or not: that would be told to anyone
        raise ModelError(
            f"{short_path(model)} lies outside MODEL_DIR, and weights can hold code: put it there,"
            " or set MODEL_DIR to its folder"
        )
    if place.is_file():
        return place
    if "/" in model or "\\" in model:
        raise ModelError(f"{short_path(model)}: there is no such file in MODEL_DIR")
    return _downloaded(model, settings)


def _downloaded(name: str, settings: Settings) -> Path:
    from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES, attempt_download_asset

    target = settings.cache_dir / "ultralytics" / name
    if target.is_file():
        return target
    if name not in GITHUB_ASSETS_NAMES:
        raise ModelError(
            f"{name} is no file in MODEL_DIR and no name of a pretrained model that Ultralytics has"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        attempt_download_asset(target)
    except Exception as error:  # Ultralytics raises many kinds
        raise ModelError(_unreachable(name, type(error).__name__)) from None
    if not target.is_file():
        raise ModelError(_unreachable(name, "no file arrived"))
    return target


def _unreachable(name: str, reason: str) -> str:
    return (
        f"{name} could not be downloaded ({reason}): check the network, or put the file into"
        " MODEL_DIR"
    )
