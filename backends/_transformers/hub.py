"""Where a transformers model's folder is: a starter, a folder, or a hub's name."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from shared.errors import ModelError, short_path
from shared.settings import Settings

STARTER = "starter"
KEPT = ("*.safetensors", "*.json", "*.txt", "*.model")


class ModelReference(NamedTuple):
    """A model as the user named it, in which setting, and the starter of that backend."""

    model: str
    setting: str
    starter: Path


def folder(wanted: ModelReference, settings: Settings) -> Path:
    """The folder with the model's files, fetched from the hub if it is a name there.

    ModelError says where it was looked for.
    """
    model = wanted.model
    if model == STARTER:
        return wanted.starter
    for place in (settings.model_dir / model, Path(model).expanduser()):
        if place.is_dir():
            return place
    if model.startswith((".", "/", "~")) or model.count("/") > 1:
        raise ModelError(
            f"{wanted.setting}={short_path(model)}: there is no such folder (MODEL_DIR was tried"
            " too)"
        )
    return _downloaded(wanted, settings)


def files(wanted: ModelReference, settings: Settings) -> Iterable[Path]:
    """The model's files, which make its version."""
    found = folder(wanted, settings)
    return [path for pattern in KEPT for path in found.glob(pattern)]


def _downloaded(wanted: ModelReference, settings: Settings) -> Path:
    from huggingface_hub import snapshot_download

    target = settings.cache_dir / "huggingface"
    try:
        return Path(snapshot_download(wanted.model, cache_dir=target, allow_patterns=list(KEPT)))
    except Exception as error:  # the hub's client raises many kinds
        raise ModelError(
            f"{wanted.setting}={wanted.model} is no folder here and could not be fetched from the"
            f" hub ({type(error).__name__}): check the name and the network, or put the model's"
            " folder into MODEL_DIR"
        ) from None
