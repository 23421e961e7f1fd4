"""Which models find what words name: told by their files, before they are loaded."""

import zipfile
from functools import lru_cache
from pathlib import Path

from backends._transformers import hub
from backends.detection.model import kinds
from backends.detection.model.weights import find_local_weights
from shared.backend.claim import ModelSpec
from shared.errors import ModelError
from shared.settings import Settings

SETTING = "DETECTION_MODEL"
# Ultralytics' classes of such networks, as a file of weights names them.
ULTRALYTICS_CLASSES = (b"WorldModel", b"YOLOEModel", b"YOLOESegModel")
# Parts of the names under which Ultralytics publishes them, for those that are not here yet.
PUBLISHED_NAMES = ("-world", "yoloe")
# What the folder of a model of transformers has for texts.
TEXT_FILES = ("tokenizer_config.json",)
GROUNDING_TYPES = frozenset({"grounding-dino", "mm-grounding-dino"})


def is_open_vocabulary(spec: ModelSpec, settings: Settings) -> bool:
    """Return whether a model finds what words name. One that was trained here never does."""
    if spec.trained_version:
        return False
    kind = kinds.find_kind(spec.model, settings)
    return kind == "words" or (kind == "ultralytics" and _is_word_network(spec.model, settings))


def find_folder(model: str, settings: Settings) -> Path:
    """Return the folder of a transformers model, after downloading it if the hub has it."""
    return hub.find_folder(hub.ModelReference(model, SETTING, Path()), settings)


def model_type(folder: Path) -> str:
    """Return the type that a model's `config.json` names; "" if it names none."""
    return str(kinds.read_config(folder).get("model_type", ""))


def uses_text_threshold(spec: ModelSpec, settings: Settings) -> bool:
    """Return whether a model scores the tokens of words, as Grounding DINO does."""
    if spec.trained_version:
        return False
    folder = kinds.find_folder(spec.model, settings)
    if folder is None or not (folder / kinds.CONFIG_FILE).is_file():
        return "grounding" in spec.model.casefold().rsplit("/", 1)[-1]
    return model_type(folder) in GROUNDING_TYPES


def _is_word_network(model: str, settings: Settings) -> bool:
    # What is in an object store is not fetched for this: a plan is waited for.
    in_store = settings.model_store is not None or "://" in model
    try:
        path = None if in_store else find_local_weights(model, settings)
    except ModelError:  # which is said when it is loaded
        return False
    if path is None or path.suffix != ".pt":
        return any(part in model for part in PUBLISHED_NAMES)
    return _names_word_network(path, path.stat().st_mtime_ns)


@lru_cache(64)
def _names_word_network(path: Path, modified_ns: int) -> bool:
    """Look for the network's class in a file of weights. Nothing in it is unpickled."""
    try:
        with zipfile.ZipFile(path) as file:
            [name] = [one for one in file.namelist() if one.endswith("data.pkl")]
            content = file.read(name)
    except (OSError, ValueError, zipfile.BadZipFile):  # which is said when it is loaded
        return False
    return any(name in content for name in ULTRALYTICS_CLASSES)
