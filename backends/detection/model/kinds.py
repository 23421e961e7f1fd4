"""Which library reads a model: told by its name and its files, before it is loaded."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from backends._transformers.hub import describe_folder
from shared.backend.unfinished_export import check_finished
from shared.errors import ModelError
from shared.settings import Settings

Kind = Literal["ultralytics", "words", "transformers", "torchvision", "onnx"]

CONFIG_FILE = "config.json"
ONNX_SUFFIX = ".onnx"
# `model_type` of the transformers models that find what words name, and the class of each.
WORD_MODEL_CLASSES = {
    "grounding-dino": "GroundingDinoForObjectDetection",
    "mm-grounding-dino": "MMGroundingDinoForObjectDetection",
    "owlv2": "Owlv2ForObjectDetection",
    "owlvit": "OwlViTForObjectDetection",
    "sam3": "Sam3Model",
    "sam3_video": "Sam3Model",  # as it is published: its detector is one part of it
}
# Parts of the names of transformers models with fixed classes, for those that are not here yet.
# Any other name on the hub is taken for a model that finds what words name.
FIXED_CLASSES_NAMES = ("detr", "yolos", "d-fine", "dfine", "deim", "table-transformer", "doclayout")
# What `prelabel export` writes.
EXPORTED_FILES = ("network.json", "model.xml")
# What a folder may hold, for the error about one that holds something else.
EXPECTED_FOLDERS = (
    "config.json and model.safetensors of transformers; config.json with the name of a model of"
    ' torchvision ("torchvision") and model.safetensors; or a file .onnx and config.json with the'
    ' names of its classes ("classes")'
)


def find_kind(model: str, settings: Settings) -> Kind:
    """Return which library reads a model that a setting or a label config names."""
    folder = find_folder(model, settings)
    if folder is not None:
        return _folder_kind(folder)
    if Path(model).suffix == ONNX_SUFFIX:
        return "onnx"
    if not is_hub_name(model):
        return "ultralytics"
    name = model.casefold().rsplit("/", 1)[-1]
    fixed = any(part in name for part in FIXED_CLASSES_NAMES)
    return "transformers" if fixed else "words"


def find_folder(model: str, settings: Settings) -> Path | None:
    """Return the folder of a model: in MODEL_DIR, elsewhere, or what the hub's cache has of it."""
    folders = (settings.model_dir / model, Path(model).expanduser()) if model else ()
    found = next((folder for folder in folders if _holds_model(folder)), None)
    return found or _find_downloaded(model, settings)


def is_hub_name(model: str) -> bool:
    """Return whether a model may be the name of one on the hub: OWNER/NAME."""
    return model.count("/") == 1 and not model.startswith((".", "~", "/")) and not _suffix(model)


def read_config(folder: Path) -> Mapping[str, Any]:
    """Return the content of a folder's config.json; ModelError if that is no JSON object."""
    try:
        config = json.loads((folder / CONFIG_FILE).read_bytes())
    except (OSError, ValueError):
        raise ModelError(f"{folder.name}: {CONFIG_FILE} is missing or no JSON") from None
    if not isinstance(config, dict):
        raise ModelError(f"{folder.name}: {CONFIG_FILE} holds no object but a list or a value")
    return config


def is_exported(folder: Path) -> bool:
    """Return whether a folder was written by `prelabel export`."""
    return all((folder / name).is_file() for name in EXPORTED_FILES)


def check_folder(model: str, settings: Settings) -> None:
    """Raise ModelError if a model is a folder of MODEL_DIR, and one that no library reads."""
    folder = settings.model_dir / model
    if not (model and folder.resolve().is_relative_to(settings.model_dir.resolve())):
        return  # refused where it is opened, and nothing is said of what is in it
    check_finished(folder, model)
    if folder.is_dir() and not (_holds_model(folder) or is_exported(folder)):
        raise ModelError(
            f"{model} is a folder with {describe_folder(folder)}; expected: {EXPECTED_FOLDERS}"
        )


def _suffix(model: str) -> str:
    """Return the ending of a file's name; versions in names of models, as v2.1, are none."""
    suffix = Path(model).suffix
    return "" if suffix[1:].isdigit() else suffix


def _holds_model(folder: Path) -> bool:
    return (folder / CONFIG_FILE).is_file() or (
        folder.is_dir() and any(folder.glob(f"*{ONNX_SUFFIX}"))
    )


def _folder_kind(folder: Path) -> Kind:
    config = read_config(folder) if (folder / CONFIG_FILE).is_file() else {}
    if "torchvision" in config:
        return "torchvision"
    if "model_type" not in config and any(folder.glob(f"*{ONNX_SUFFIX}")):
        return "onnx"
    return "words" if config.get("model_type") in WORD_MODEL_CLASSES else "transformers"


def _find_downloaded(model: str, settings: Settings) -> Path | None:
    if not is_hub_name(model):
        return None
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:  # which is said when it is loaded
        return None
    found = try_to_load_from_cache(model, CONFIG_FILE, cache_dir=settings.cache_dir / "huggingface")
    return Path(found).parent if isinstance(found, str) else None
