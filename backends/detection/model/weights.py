"""Finds the weights of a network: the starter, a file in MODEL_DIR, or a published one."""

from collections.abc import Sequence
from pathlib import Path

from backends._inference import ultralytics_weights
from backends.detection.model.converted_network import files_of as exported_files
from backends.detection.model.kinds import EXPORTED_FILES, check_folder, is_exported
from backends.detection.model.trained_network import FILE_NAME
from shared.backend.claim import ModelSpec
from shared.errors import ModelError
from shared.settings import Settings

STARTER_FILE = Path(__file__).parents[1] / "starter" / "shapes.pt"


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
    """Return the file of the weights; ModelError says where they were looked for."""
    check_folder(model, settings)
    exported = find_exported(model, settings)
    return exported or ultralytics_weights.find_weights(model, settings, STARTER_FILE)


def find_local_weights(model: str, settings: Settings) -> Path | None:
    """Return the file of the weights; None for a published name that was not downloaded yet."""
    exported = find_exported(model, settings)
    return exported or ultralytics_weights.find_local_weights(model, settings, STARTER_FILE)


def find_exported(model: str, settings: Settings) -> Path | None:
    """Return the file that stands for an exported network in MODEL_DIR, if the name is of one."""
    root = settings.model_dir.resolve()
    folder = (root / model).resolve()
    # Checked before the folder is looked for: an error must not tell anyone which files exist.
    if not model or not folder.is_relative_to(root) or not is_exported(folder):
        return None
    return folder / EXPORTED_FILES[-1]


def files_of(weights: Path) -> Sequence[Path]:
    """Return the files of a network, whose hash is part of the model version."""
    return exported_files(weights.parent) if weights.suffix == ".xml" else (weights,)
