"""What an export that has not come to its end has written: no model yet."""

from pathlib import Path

from shared.errors import ModelError

# The folder inside that of an export, in which all is until it is whole.
PARTIAL = ".partial"


def check_finished(folder: Path, name: str) -> None:
    """Raise ModelError if a folder holds an export that is being written, or was killed.

    `name` is what the user calls it, with the setting if that is known.
    """
    if (folder / PARTIAL).is_dir():
        raise ModelError(
            f"{name} is an export that was not finished: wait for the end of `prelabel export`, or"
            " if it was ended, delete the folder and export again"
        )
