"""The folder of a dataset while it is made: begun, continued, or refused."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from shared.errors import SettingError

WORK = ".work"
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Workspace:
    """A dataset's folder. All is made in its subfolder `.work`, and moved when it is complete."""

    folder: Path

    @property
    def samples(self) -> Path:
        """The file of samples."""
        return self.folder / WORK / "samples.jsonl"

    @property
    def media(self) -> Path:
        """Where fetched media lie."""
        return self.folder / WORK / "media"

    @property
    def made(self) -> Path:
        """Where the dataset is written."""
        return self.folder / WORK / "made"

    @property
    def is_complete(self) -> bool:
        """Whether the dataset is finished."""
        return (self.folder / MANIFEST).is_file() and not (self.folder / WORK).exists()

    def begin(self, state: Mapping[str, Any], resume: bool) -> None:
        """Begin or continue a dataset; SettingError if the folder holds something else."""
        written = orjson.dumps(state, option=orjson.OPT_SORT_KEYS)
        self._check(written, resume)
        if self._moving.exists():
            return
        if self.made.exists():
            shutil.rmtree(self.made)
        self.media.mkdir(parents=True, exist_ok=True)
        self.made.mkdir()
        write_file(self._state, written)

    def _check(self, state: bytes, resume: bool) -> None:
        if not self.folder.exists() or not any(self.folder.iterdir()):
            return
        if self.is_complete:
            raise SettingError(f"{self.folder} holds a dataset already: name another folder")
        if not self._state.is_file():
            raise SettingError(
                f"{self.folder} holds other files: name a folder that is empty or does not exist"
            )
        if not resume:
            raise SettingError(
                f"{self.folder} holds a dataset that was interrupted: continue with --resume, or"
                " delete it to begin anew"
            )
        if self._state.read_bytes() != state:
            raise SettingError(
                f"{self.folder} was begun with another label config or other options: repeat those,"
                " or delete it to begin anew"
            )

    @property
    def _state(self) -> Path:
        return self.folder / WORK / "state.json"

    @property
    def _moving(self) -> Path:
        """Exists from the time on that all is made and only has to be moved."""
        return self.folder / WORK / "moving"

    def finish(self) -> None:
        """Move what was made to its place, the manifest last, and remove the rest."""
        self._moving.touch()
        for path in sorted(self.made.iterdir(), key=lambda path: path.name == MANIFEST):
            path.replace(self.folder / path.name)
        shutil.rmtree(self.folder / WORK)

    def discard(self) -> None:
        """Leave the folder empty again."""
        shutil.rmtree(self.folder / WORK)

    @property
    def is_made(self) -> bool:
        """Whether an interrupted run had made all, and only has to move it."""
        return self._moving.exists()


def write_file(path: Path, data: bytes) -> None:
    """Write a whole file or none: it gets its name when it is complete."""
    made = path.with_name(path.name + ".new")
    made.write_bytes(data)
    made.replace(path)


def place_file(source: Path, target: Path) -> None:
    """Give a fetched file its place in the dataset: as a link if the file system has them."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
