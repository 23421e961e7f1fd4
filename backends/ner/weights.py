"""Where a model's folder is: the starter, a folder, or a hub's name."""

from pathlib import Path

from shared.errors import ModelError
from shared.settings import Settings

STARTER = "starter"
KEPT = ("*.safetensors", "*.json", "*.txt", "*.model")


def folder(model: str, settings: Settings) -> Path:
    """The folder with the model's files, fetched from the hub if it is a name there.

    ModelError says where it was looked for.
    """
    if model == STARTER:
        return Path(__file__).parent / "starter" / "weights"
    for place in (settings.model_dir / model, Path(model).expanduser()):
        if place.is_dir():
            return place
    if model.startswith((".", "/", "~")) or model.count("/") > 1:
        raise ModelError(f"NER_MODEL={model}: there is no such folder (MODEL_DIR was tried too)")
    return _downloaded(model, settings)


def _downloaded(name: str, settings: Settings) -> Path:
    from huggingface_hub import snapshot_download

    target = settings.cache_dir / "huggingface"
    try:
        return Path(snapshot_download(name, cache_dir=target, allow_patterns=list(KEPT)))
    except Exception as error:  # the hub's client raises many kinds
        raise ModelError(
            f"NER_MODEL={name} is no folder here and could not be fetched from the hub"
            f" ({type(error).__name__}): check the name and the network, or put the model's"
            " folder into MODEL_DIR"
        ) from None
