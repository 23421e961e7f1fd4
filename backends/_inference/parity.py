"""Converted networks, used only if they give what PyTorch gives."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from backends._inference.checksums import DamagedFileError, check_files, write_checksums
from shared.backend.converted_model_cache import fresh_folder
from shared.errors import ModelError

logger = logging.getLogger(__name__)

# Takes the place of a rejected network in its folder, and holds the reason.
REJECTION_FILE = "refused.txt"

ConvertedNetwork = TypeVar("ConvertedNetwork")


def read_rejection(folder: Path) -> str | None:
    """Return why the network that was converted into a folder is not used; None if it is."""
    path = folder / REJECTION_FILE
    return path.read_text(encoding="utf-8") if path.is_file() else None


def describe_lack_of_int8(refusal: str | None) -> str:
    """Return why a network runs in no copy in int8; `refusal` is None where none was tried."""
    if refusal is None:
        return "int8 was not tried: prelabel export --calibrate tries it"
    return f"in int8, {refusal}"


def report_broken_copy(name: str, error: Exception) -> str:
    """Log that a network runs without its copy in int8; return the refusal for `/status`."""
    logger.warning(
        "%s runs without its copy in int8, which cannot be loaded: export it again",
        name,
        exc_info=error,
    )
    return "its copy cannot be loaded, as the log says: export it again"


def remove_broken(folder: Path, error: Exception) -> None:
    """Delete a converted network that cannot be loaded, and log it: it is converted again."""
    reason = str(error) if isinstance(error, DamagedFileError) else type(error).__name__
    logger.warning(
        "Converted network %s is made again, since it cannot be loaded: %s", folder, reason
    )
    shutil.rmtree(folder, ignore_errors=True)


def load_verified(
    folder: Path,
    convert: Callable[[Path], None],
    load: Callable[[Path], ConvertedNetwork],
    describe_deviation: Callable[[ConvertedNetwork], str],
) -> ConvertedNetwork:
    """Return the converted network in `folder`; convert and compare it first if it is new.

    `describe_deviation` tells how its outputs differ from PyTorch's; "" if they agree. The verdict
    is stored, so that the next start neither converts nor loads the PyTorch network. What is
    damaged, or cannot be loaded any more, is converted again.

    Raises:
        ModelError: its outputs differ, now or when it was converted.
    """
    rejection = read_rejection(folder)
    if rejection is not None:
        raise ModelError(rejection)
    if folder.is_dir():
        try:
            check_files(folder)
            return load(folder)
        except Exception as error:  # an engine raises many kinds
            remove_broken(folder, error)
    # The folder takes its final name only with the verdict in it: another process that starts
    # meanwhile must not use a network that nobody has compared yet.
    with fresh_folder(folder) as draft:
        convert(draft)
        network = load(draft)
        deviation = describe_deviation(network)
        if deviation:
            for file in draft.iterdir():
                file.unlink()
            (draft / REJECTION_FILE).write_text(deviation, encoding="utf-8")
        else:
            write_checksums(draft)
    if deviation:
        logger.warning("Converted network %s is not used: %s", folder, deviation)
        raise ModelError(deviation)
    return network
