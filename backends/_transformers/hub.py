"""The folder of a transformers model: a starter, one on disk, or one from the Hugging Face hub."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from backends._transformers.model_source import is_exported
from shared.backend import ModelSpec
from shared.backend.model_folder import find_model
from shared.backend.unfinished_export import check_finished
from shared.errors import ModelError, short_path
from shared.settings import Settings

# The model name by which users choose the small model that comes with a backend.
STARTER = "starter"
# The files of a model; others, such as pickles or code, are neither fetched nor read.
FILE_PATTERNS = ("*.safetensors", "*.json", "*.txt", "*.model")


class ModelReference(NamedTuple):
    """A model as the user named it, the setting that did, and the folder of the starter.

    `patterns` are the names of the files that are downloaded.
    """

    model: str
    setting: str
    starter: Path
    patterns: Sequence[str] = FILE_PATTERNS


class TrainingBase(NamedTuple):
    """The folder of the model that a training begins with, and the name by which it was chosen."""

    folder: Path
    name: str


def find_folder(reference: ModelReference, settings: Settings) -> Path:
    """Return the folder of the model's files, after downloading them if the hub has it.

    Raises:
        ModelError: there is no such model; the message tells where it was looked for.
    """
    model = reference.model
    if model == STARTER:
        return reference.starter
    for folder in (find_model(model, settings), Path(model).expanduser()):
        if folder.is_dir():
            check_finished(folder, f"{reference.setting}={short_path(model)}")
            return folder
    if model.startswith((".", "/", "~")) or model.count("/") > 1:  # never a name on the hub
        raise ModelError(
            f"{reference.setting}={short_path(model)}: there is no such folder, neither here nor in"
            " MODEL_DIR"
        )
    return _download_snapshot(reference, settings)


def find_trained_folder(spec: ModelSpec) -> Path:
    """Return the folder of a project's own weights; ModelError if they are gone."""
    folder = Path(spec.model)
    if not spec.trained_version or not folder.is_dir():
        raise ModelError(f"the weights of {spec.label} are no longer in TRAIN_DIR")
    return folder


def find_files(reference: ModelReference, settings: Settings) -> Iterable[Path]:
    """Return the files of the model that a user named."""
    return list_files(find_folder(reference, settings))


def list_files(folder: Path, patterns: Sequence[str] = FILE_PATTERNS) -> Iterable[Path]:
    """Return the model's files, whose hash is part of its version."""
    if is_exported(folder):
        return [path for path in folder.rglob("*") if path.is_file()]
    return [path for pattern in patterns for path in folder.glob(pattern)]


def describe_folder(folder: Path) -> str:
    """Return the names of a folder's first files, for messages."""
    names = sorted(path.name for path in folder.iterdir())
    listed = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
    return listed or "nothing in it"


def _download_snapshot(reference: ModelReference, settings: Settings) -> Path:
    from huggingface_hub import snapshot_download

    cache = settings.cache_dir / "huggingface"
    try:
        return Path(
            snapshot_download(
                reference.model, cache_dir=cache, allow_patterns=list(reference.patterns)
            )
        )
    except Exception as error:  # the hub's client raises many kinds
        raise ModelError(
            f"{reference.setting}={reference.model} is not a folder here and could not be"
            f" downloaded from the hub ({type(error).__name__}): check the name and the network,"
            " or put the model's folder into MODEL_DIR"
        ) from None
