"""Tracks that the editor asks for frame by frame: each is a folder that all workers see.

One process follows the object and writes a line for each frame; whichever is asked next hands the
lines out. A folder holds

- `frames`: a JSON object a line, one for each frame;
- `taken`: how many bytes of `frames` have been handed out;
- `end`: written last, with what went wrong or nothing;
- `cancelled`: whoever writes `frames` stops when it sees it.
"""

import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from shared.errors import TaskError

FOLDER = "tracks"
# A process that has not written for so long has ended, in seconds: a frame takes less.
SILENCE_SECONDS = 300.0
# For so long nobody has to ask for frames before the track is given up.
UNASKED_SECONDS = 300.0
# For so long a track that has ended may be asked for.
KEPT_SECONDS = 300.0
_ID = re.compile(r"[0-9a-f]{12}")


class TrackCancelledError(TaskError):
    """The user does not want the track any more."""


class TrackProgress(NamedTuple):
    """The frames since the last time, how many there are in all, whether it is done, and why."""

    frames: list[dict[str, Any]]
    produced: int
    done: bool
    error: str | None


@dataclass(frozen=True)
class TrackSession:
    """One track. `id` is what the editor names it by."""

    folder: Path

    @property
    def id(self) -> str:
        """The name of its folder."""
        return self.folder.name

    @property
    def details(self) -> Mapping[str, Any]:
        """The id of the task, and the number of frames that it may have."""
        found: dict[str, Any] = json.loads((self.folder / "track").read_text())
        return found

    def add(self, frame: Mapping[str, Any]) -> None:
        """Write a frame; TrackCancelledError if nobody wants it any more."""
        self.check()
        try:
            with (self.folder / "frames").open("a") as file:
                file.write(json.dumps(frame) + "\n")
        except FileNotFoundError:  # removed just now
            raise TrackCancelledError("The track was cancelled") from None
        except OSError as error:
            raise _no_room(error) from None

    def check(self) -> None:
        """Say that it is being followed; TrackCancelledError if nobody wants it any more."""
        asked = _age(self.folder / "taken")
        if asked is None or self.is_cancelled or asked > UNASKED_SECONDS:
            raise TrackCancelledError("The track was cancelled")
        with suppress(OSError):
            (self.folder / "alive").touch()

    @property
    def is_cancelled(self) -> bool:
        """Whether it was cancelled, or is no longer there."""
        return not self.folder.is_dir() or (self.folder / "cancelled").exists()

    def end(self, error: str | None = None) -> None:
        """Write that no frames follow, and what went wrong."""
        try:
            _replace(self.folder / "end", json.dumps(error))
        except OSError:  # it was cancelled and removed, or a full disk holds no end either
            shutil.rmtree(self.folder, ignore_errors=True)

    def cancel(self) -> None:
        """Tell whoever follows it to stop."""
        with suppress(FileNotFoundError):
            (self.folder / "cancelled").touch()

    def take(self, most: int) -> TrackProgress:
        """Hand out the next frames, at most so many; FileNotFoundError if it was removed."""
        end = self._read_end()  # first: what is written before it is read below
        taken = int((self.folder / "taken").read_text())
        with (self.folder / "frames").open("rb") as file:
            file.seek(taken)
            lines = [
                line for line, _ in zip(file, range(most), strict=False) if line.endswith(b"\n")
            ]
            after = taken + sum(map(len, lines))
            file.seek(0)
            produced = sum(1 for _ in file)
        _replace(self.folder / "taken", str(after))
        is_all = after >= (self.folder / "frames").stat().st_size
        frames = [json.loads(line) for line in lines]
        return TrackProgress(frames, produced, end is not None and is_all, end or None)

    def _read_end(self) -> str | None:
        """Return "" for an end without error, what went wrong, or None while it goes on."""
        try:
            return json.loads((self.folder / "end").read_text()) or ""
        except FileNotFoundError:
            silent = _age(self.folder / "alive")
            if silent is not None and silent > SILENCE_SECONDS:
                return "The process that followed the object has ended: ask for it again"
            return None

    @property
    def is_running(self) -> bool:
        """Whether somebody follows it."""
        return not self.is_cancelled and self._read_end() is None


@dataclass(frozen=True)
class TrackSessions:
    """All tracks below a folder."""

    root: Path

    def create(self, task_id: Any, total: int) -> TrackSession:
        """Create a track of a task; those that nobody needs any more are removed."""
        self._prune()
        name = secrets.token_hex(6)
        draft, folder = self.root / f".{name}", self.root / name  # whole, or not there
        try:
            draft.mkdir(parents=True)
            (draft / "track").write_text(json.dumps({"task": task_id, "total": total}))
            (draft / "frames").touch()
            (draft / "alive").touch()
            (draft / "taken").write_text("0")
            os.replace(draft, folder)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            raise _no_room(error) from None
        return TrackSession(folder)

    def find(self, name: Any, task_id: Any) -> TrackSession | None:
        """Return the track with an id, if it is one of the task's."""
        if not isinstance(name, str) or not _ID.fullmatch(name):
            return None
        session = TrackSession(self.root / name)
        with suppress(FileNotFoundError):
            return session if session.details["task"] == task_id else None
        return None

    def remove(self, session: TrackSession) -> None:
        """Remove a track: all of it has been handed out, or nobody wants it."""
        shutil.rmtree(session.folder, ignore_errors=True)

    def running(self) -> list[TrackSession]:
        """Return the tracks that are being followed."""
        return [one for one in self._all() if one.is_running]

    def cancel_all(self, task_id: Any) -> None:
        """Cancel the tracks of a task."""
        for one in self._all():
            with suppress(FileNotFoundError):
                if one.details["task"] == task_id:
                    one.cancel()

    def _all(self) -> Iterator[TrackSession]:
        if self.root.is_dir():
            found = [path for path in self.root.iterdir() if _ID.fullmatch(path.name)]
            yield from map(TrackSession, found)

    def _prune(self) -> None:
        for one in self._all():
            age = _age(one.folder / "taken")
            if age is None or (not one.is_running and age > KEPT_SECONDS):
                self.remove(one)


def _no_room(error: OSError) -> TaskError:
    return TaskError(f"CACHE_DIR cannot hold the track: {error.strerror or type(error).__name__}")


def _age(path: Path) -> float | None:
    """Return the seconds since a file was written; None if there is none."""
    try:
        return max(0.0, time.time() - path.stat().st_mtime)
    except FileNotFoundError:
        return None


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    part.write_text(text)
    os.replace(part, path)
