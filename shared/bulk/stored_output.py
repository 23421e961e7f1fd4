"""An output in an object store: written on this machine, mirrored while it grows, then moved.

    CACHE_DIR/outputs/DIGEST/     the spool: OUT with its journal, as `import_file` writes them
    s3://bucket/OUT.part/         the mirror of an unfinished run
        run.json                  who writes, and when it was last seen
        tasks-0…, failures-1-0…   pieces of the journal, by the byte that they begin with
    s3://bucket/OUT               the output: there whole, or not at all, or still the one before
    s3://bucket/OUT.failures.jsonl

A run that was killed is continued from the spool; on another machine from the mirror, which lacks
at most what was done in the last `PUSH_SECONDS`.
"""

import hashlib
import logging
import os
import shutil
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from shared.errors import SettingError
from shared.jobs.file_lock import FileLock
from shared.label_studio.import_file import failures_path, import_format
from shared.label_studio.json_stream import dump_line, load_line
from shared.media.object_address import StoreAddress
from shared.media.object_store import ObjectStore, StoreError

# Seconds between two mirrorings, and after which a run that shows no sign has ended.
PUSH_SECONDS, SILENT_SECONDS = 30.0, 120.0
MAX_PIECE_BYTES = 1 << 28
RUN_FILE, LOCK_FILE = "run.json", "lock"
logger = logging.getLogger(__name__)


def fetch_earlier(address: StoreAddress, path: Path) -> None:
    """Copy what an earlier run has written, and its failures, as far as they are there."""
    store = ObjectStore(address)
    failures = failures_path(path)
    for remote, target in ((address, path), (address.parent / failures.name, failures)):
        if store.find(remote) is not None:
            store.download(remote, target)


class StoredOutput:
    """Within its context, `path` is where the output is written; at the end it is in the store."""

    def __init__(
        self, address: StoreAddress, cache_dir: Path, resume: bool, is_bound: bool = False
    ) -> None:
        """`is_bound` tells that the run keeps more than its journal, such as which tasks it has
        sent to a project: it cannot be continued on another machine.

        SettingError if the store cannot be used.
        """
        self.address = address
        digest = hashlib.sha256(str(address).encode()).hexdigest()[:16]
        self._spool = cache_dir / "outputs" / digest
        self.path = self._spool / address.name
        import_format(self.path)
        self._store = ObjectStore(address)
        self._folder = address.parent / f"{address.name}.part"
        self._resume, self._is_bound = resume, is_bound
        self._run = ""
        self._mirror = JournalMirror(self._store, self._folder, self.path)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._keep_mirrored, name="mirror", daemon=True)
        self._lock = FileLock(self._spool / LOCK_FILE)

    def __enter__(self) -> "StoredOutput":
        self._spool.mkdir(parents=True, exist_ok=True)
        if not self._lock.acquire():
            raise SettingError(f"{self.address.shown} is being written by another process here")
        try:
            self._prepare()
        except BaseException:
            self._lock.release()
            raise
        if self._run:
            self._thread.start()
        return self

    def fetch_earlier(self) -> None:
        """Copy the output of an earlier run, unless one is being continued."""
        if not self._mirror.journal.exists():
            fetch_earlier(self.address, self.path)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        try:
            if self._run:
                self._thread.join()
                self._publish() if self._is_complete() else self._push(last=True)
            if not self._run or self._is_complete():
                shutil.rmtree(self._spool, ignore_errors=True)
        finally:
            self._lock.release()

    def _prepare(self) -> None:
        """Claim the output, and bring the spool to the state of the run that is continued."""
        marker = self._read_marker()
        if marker is None:
            self._begin()
        elif not self._resume:
            raise SettingError(
                f"{self._folder.shown}/ is left from an interrupted run: use --resume to continue"
                " it, or delete it to start over"
            )
        elif self._read_run() == marker["run"]:
            self._run = str(marker["run"])
            self._mirror.continue_from_spool()
        else:
            self._take_over(marker)
        if self._run:
            self._mark(time.time())

    def _begin(self) -> None:
        """Start with an empty spool, or with the result of a run that is finished."""
        self._clear_spool()
        if self._resume and self._store.find(self.address) is not None:
            fetch_earlier(self.address, self.path)  # finished: nothing will be written
            return
        self._write_run(uuid.uuid4().hex)

    def _take_over(self, marker: dict[str, Any]) -> None:
        """Continue the run of another machine, or one whose spool is gone."""
        silent = time.time() - float(marker["seen"])
        if silent < SILENT_SECONDS:
            raise SettingError(
                f"{self.address.shown} is being written on {marker['host']}, or was until"
                f" {silent:.0f} s ago: if that run has ended, --resume continues it in"
                f" {SILENT_SECONDS - silent:.0f} s"
            )
        if marker["is_bound"]:
            raise SettingError(
                f"{self.address.shown} was begun on {marker['host']} with --push or --only failed,"
                " and only that machine knows how far it is: continue it there"
            )
        self._clear_spool()
        self._mirror.restore()
        self._write_run(uuid.uuid4().hex)

    def _clear_spool(self) -> None:
        for path in self._spool.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != LOCK_FILE:
                path.unlink()

    def _keep_mirrored(self) -> None:
        while not self._stopped.wait(PUSH_SECONDS):
            self._push()

    def _push(self, last: bool = False) -> None:
        """Mirror what is new. A store that is away costs no more than that."""
        try:
            self._mirror.push()
            self._mark(0.0 if last else time.time())
        except StoreError as error:
            logger.warning("The journal is kept on this machine only, for now: %s", error)

    def _is_complete(self) -> bool:
        parts = self.path.with_name(f"{self.path.name}.parts")  # of the engine on Ray
        return self.path.exists() and not self._mirror.journal.exists() and not parts.exists()

    def _publish(self) -> None:
        """Move the output into the store, failures first, and end the run."""
        failures = failures_path(self.path)
        try:
            if failures.exists():
                self._store.upload(failures, self.address.parent / failures.name)
            else:
                self._store.remove(self.address.parent / failures.name)
            self._store.upload(self.path, self.address)
            self._mirror.remove()
            self._store.remove(self._folder / RUN_FILE)
        except StoreError as error:
            raise SettingError(
                f"{error}; the output is complete in {self.path}: --resume uploads it"
            ) from None

    def _mark(self, seen: float) -> None:
        """Tell other machines when this run was last seen; 0 if it has ended."""
        marker = {
            "run": self._run,
            "host": socket.gethostname(),
            "seen": seen,
            "is_bound": self._is_bound,
        }
        self._store.write(self._folder / RUN_FILE, dump_line(marker))

    def _read_marker(self) -> dict[str, Any] | None:
        """Return what the store says of an unfinished run, if there is one."""
        file = self._folder / RUN_FILE
        if self._store.find(file) is None:
            return None
        try:
            found = load_line(self._store.read(file, 1 << 20, 60.0))
            return {key: found[key] for key in ("run", "host", "seen", "is_bound")}
        except (ValueError, TypeError, KeyError):
            raise SettingError(
                f"{file.shown} is damaged: delete {self._folder.shown}/ to start over"
            ) from None

    def _read_run(self) -> str:
        file = self._spool / RUN_FILE
        return file.read_text() if file.exists() else ""

    def _write_run(self, run: str) -> None:
        self._run = run
        (self._spool / RUN_FILE).write_text(run)


class JournalMirror:
    """Copies a journal and its failures into a store, piece by piece, in whole lines."""

    def __init__(self, store: ObjectStore, folder: StoreAddress, path: Path) -> None:
        self._store, self._folder = store, folder
        self.journal = path.with_name(f"{path.name}.part")
        self._failures = failures_path(path)
        self._done = 0
        # the number of the file of failures, which a run that continues writes anew
        self._number, self._failures_done, self._inode = 0, 0, 0

    def push(self) -> None:
        """Copy what is new: failures before the tasks that they are about."""
        ends = _piece_ends(self.journal, self._done)
        self._push_failures()
        for end in ends:
            self._copy(self.journal, self._done, end, f"tasks-{self._done:015}")
            self._done = end

    def continue_from_spool(self) -> None:
        """Go on behind what the store has; if the spool has less, replace it."""
        self._done = sum(size for _, _, size in self._pieces("tasks"))
        self._number = max((number for number, _, _ in self._pieces("failures")), default=0)
        if self.journal.exists() and self.journal.stat().st_size < self._done:
            self.restore()

    def restore(self) -> None:
        """Write journal and failures as the store has them."""
        pieces = list(self._pieces("failures"))
        self._number = max((number for number, _, _ in pieces), default=0)
        last = [(name, size) for number, name, size in pieces if number == self._number]
        self._fetch([name for name, _ in last], self._failures)
        self._failures_done, self._inode = sum(size for _, size in last), 0
        tasks = list(self._pieces("tasks"))
        self._done = sum(size for _, _, size in tasks)
        if tasks:
            self._fetch([name for _, name, _ in tasks], self.journal)

    def remove(self) -> None:
        """Remove the copies."""
        for kind in ("tasks", "failures"):
            for _, name, _ in list(self._pieces(kind)):
                self._store.remove(self._folder / name)

    def _push_failures(self) -> None:
        if not self._failures.exists():
            return
        inode = self._failures.stat().st_ino
        earlier = list(self._pieces("failures")) if inode != self._inode else []
        if inode != self._inode:
            self._number, self._failures_done, self._inode = self._number + 1, 0, inode
        for end in _piece_ends(self._failures, self._failures_done):
            name = f"failures-{self._number}-{self._failures_done:015}"
            self._copy(self._failures, self._failures_done, end, name)
            self._failures_done = end
        for _, name, _ in earlier:
            self._store.remove(self._folder / name)

    def _pieces(self, kind: str) -> Iterator[tuple[int, str, int]]:
        """Yield each piece's number of the file, its name and its size, in order."""
        if not self._store.is_folder(self._folder):
            return
        for one in self._store.walk(self._folder):
            found, *parts = one.address.name.split("-")
            if found == kind:
                yield int(parts[0]) if kind == "failures" else 0, one.address.name, one.size

    def _copy(self, file: Path, begin: int, end: int, name: str) -> None:
        with file.open("rb") as source:
            source.seek(begin)
            self._store.write(self._folder / name, source.read(end - begin))

    def _fetch(self, names: list[str], target: Path) -> None:
        new = target.with_name(f"{target.name}.new")
        with new.open("wb") as file:
            for name in names:
                with self._store.open(self._folder / name) as piece:
                    shutil.copyfileobj(piece, file)
        new.replace(target)


def _piece_ends(file: Path, begin: int) -> list[int]:
    """Return where the pieces end that a file now has behind `begin`, each after a whole line."""
    ends = []
    with suppress(FileNotFoundError), file.open("rb") as source:
        left = source.seek(0, os.SEEK_END) - begin
        source.seek(begin)
        while left > 0 and (data := source.read(min(left, MAX_PIECE_BYTES))):
            lines = data.rfind(b"\n") + 1 or len(data)
            begin, left = begin + lines, left - lines
            ends.append(begin)
            source.seek(begin)
    if ends and not _ends_with_line(file, ends[-1]):
        ends.pop()
    return ends


def _ends_with_line(file: Path, end: int) -> bool:
    with file.open("rb") as source:
        source.seek(end - 1)
        return source.read(1) == b"\n"
