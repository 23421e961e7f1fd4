"""Trained versions on disk, and which of them serve: TRAIN_DIR/projects/PROJECT.

    projects/7/serving.json                     which version serves each control tag
    projects/7/label/v3-1a2b3c4d/               a version of the control tag `label`
        weights/                                what `load` of the backend reads
        version.json                            backend, control tag, figures, when
        manifest.json, metrics.json, README.md  and what else the training left

Readers never see half of a version: a folder is renamed into its place when it is complete, and
`serving.json` is replaced as a whole, under a lock. Several servers may share the folder.
"""

import hashlib
import logging
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from shared.errors import SettingError

if TYPE_CHECKING:
    from shared.backend.training import TrainedWeights
from shared.jobs.file_lock import locked
from shared.jobs.json_file import write_json

VERSION_FILE, SERVING_FILE, WEIGHTS_FOLDER = "version.json", "serving.json", "weights"
LOCK_FILE = ".lock"
# Longer names of folders are cut: file systems allow 255 bytes.
MAX_NAME_CHARACTERS = 200
# Versions that `prune` keeps of each control tag, besides those that serve or have served last.
KEPT_VERSIONS = 5
# Larger files are none of ours: they are not read.
MAX_FILE_BYTES = 10_000_000
# What reading a damaged file raises; broken JSON is a ValueError.
DAMAGED = (ValueError, KeyError, TypeError, AttributeError)
logger = logging.getLogger(__name__)

_NUMBER = re.compile(r"v(\d+)-")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True)
class TrainedVersion:
    """A trained model of one control tag of one project.

    `name` is `v3-1a2b3c4d`: a number, and the hash of the snapshot that it was trained on.
    `figures` are those of the gate: on the held-out tasks, beside the model that served.
    """

    project: str
    backend: str
    control: str
    name: str
    folder: Path
    created: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def weights(self) -> "TrainedWeights":
        """What the backend loads."""
        # Here, so that commands which load nothing do not wait for what backends import.
        from shared.backend.training import TrainedWeights

        return TrainedWeights(self.backend, self.folder / WEIGHTS_FOLDER, self.name)


_FIELDS = frozenset(one.name for one in fields(TrainedVersion))


@dataclass(frozen=True)
class ServingState:
    """Which version serves each control tag of a project, and which did before, newest first."""

    serving: Mapping[str, str] = field(default_factory=dict)
    previous: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class VersionStore:
    """The trained versions below TRAIN_DIR."""

    def __init__(self, train_dir: Path) -> None:
        self._projects = train_dir / "projects"

    def project_folder(self, project: str) -> Path:
        """Return a project's folder, which need not exist."""
        return self._projects / _safe_name(project)

    def list_projects(self) -> list[str]:
        """Return the keys of all projects that have versions."""
        files = sorted(self._projects.glob(f"*/*/*/{VERSION_FILE}"))
        read = ((_read_version(file), file.parents[2].name) for file in files)
        return list(dict.fromkeys(one.project or folder for one, folder in read if one))

    def control_folder(self, project: str, control: str) -> Path:
        """Return the folder of a control tag's versions, which need not exist."""
        return self.project_folder(project) / _safe_name(control)

    def list_versions(self, project: str) -> list[TrainedVersion]:
        """Return a project's versions by control tag, the oldest first.

        One that cannot be read is logged and left out.
        """
        files = sorted(self.project_folder(project).glob(f"*/*/{VERSION_FILE}"), key=_order_key)
        return [one for file in files if (one := _read_version(file, project)) is not None]

    def find(self, project: str, control: str, name: str) -> TrainedVersion:
        """Return a version; SettingError names those that there are."""
        versions = [one for one in self.list_versions(project) if one.control == control]
        for version in versions:
            if version.name == name:
                return version
        names = ", ".join(one.name for one in versions) or "none"
        raise SettingError(
            f'project {project} has no version "{name}" of "{control}"; there are: {names}'
        )

    def add(
        self, staged: Path, project: str, backend: str, control: str, details: Mapping[str, Any]
    ) -> TrainedVersion:
        """Move a complete folder with `weights/` into its place, as the next version.

        `details` has `snapshot`, a hash, `created` and `figures`.
        """
        parent = self.control_folder(project, control)
        parent.mkdir(parents=True, exist_ok=True)
        while True:
            name = f"v{_next_number(parent)}-{str(details['snapshot'])[:8]}"
            version = TrainedVersion(
                project,
                backend,
                control,
                name,
                parent / name,
                details["created"],
                details.get("figures", {}),
            )
            write_json(staged / VERSION_FILE, {**asdict(version), "folder": None})
            _let_everyone_read(staged)
            _sync_all(staged)
            try:
                staged.rename(version.folder)
            except OSError:
                if not version.folder.exists():
                    raise
                continue  # another server was faster
            _sync(parent)
            return version

    def serving_state(self, project: str) -> ServingState:
        """Return which versions serve; an empty state if none was trained.

        SettingError if the file is damaged; OSError if it cannot be reached.
        """
        file = self.project_folder(project) / SERVING_FILE
        try:
            return _parse_state(_read_json(file))
        except FileNotFoundError:
            return ServingState()
        except DAMAGED as error:
            raise SettingError(
                f"project {project}: {file} is damaged ({type(error).__name__}), so which versions"
                " serve is not known: restore it, or remove it and promote a version"
            ) from None

    def serving_versions(self, project: str) -> dict[str, TrainedVersion]:
        """Return the version that serves each control tag; one whose weights are gone is none."""
        found = {}
        for control, name in self.serving_state(project).serving.items():
            file = self.control_folder(project, control) / name / VERSION_FILE
            version = _read_version(file, project) if name else None
            if version is not None and (file.parent / WEIGHTS_FOLDER).is_dir():
                found[control] = version
        return found

    def serving_stamp(self, project: str) -> int:
        """Return what changes whenever `serving.json` does: 0 if there is none."""
        try:
            found = (self.project_folder(project) / SERVING_FILE).stat()
        except OSError:
            return 0
        # A file that takes its place within one tick of the clock is another file.
        return hash((found.st_mtime_ns, found.st_ino)) or 1

    def promote(self, version: TrainedVersion) -> None:
        """Let a version serve its control tag."""
        with self._locked(version.project):
            state = self.serving_state(version.project)
            before = state.serving.get(version.control, "")
            if before == version.name:
                return
            earlier = [n for n in state.previous.get(version.control, ()) if n != version.name]
            self._write_state(version.project, version.control, version.name, [before, *earlier])

    def roll_back(self, project: str, control: str) -> str:
        """Let the version serve that did before; return its name, empty for the base model.

        Versions that were removed since are passed over.
        """
        with self._locked(project):
            state = self.serving_state(project)
            if not state.serving.get(control):
                raise SettingError(f'project {project}: no trained version serves "{control}"')
            folder = self.control_folder(project, control)
            names = state.previous.get(control, ())
            there = [n for n in names if not n or (folder / n / WEIGHTS_FOLDER).is_dir()]
            before, *earlier = there or ("",)
            self._write_state(project, control, before, earlier)
        return before

    def prune(self, project: str, keep: int = KEPT_VERSIONS) -> None:
        """Remove old versions, but those that serve or served last, and what is left of others."""
        by_control: dict[str, list[TrainedVersion]] = {}
        with self._locked(project):
            state = self.serving_state(project)
            for version in self.list_versions(project):
                by_control.setdefault(version.control, []).append(version)
            for control, versions in by_control.items():
                wanted = {state.serving.get(control), *state.previous.get(control, ())[:1]}
                for version in versions[: -keep or None]:
                    if version.name not in wanted:
                        _remove(version.folder)
            for folder in self.project_folder(project).glob("*/v*"):
                if not (folder / VERSION_FILE).is_file():  # the process ended while it removed it
                    shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _locked(self, project: str) -> Iterator[None]:
        """Let no other process or thread change what serves meanwhile."""
        folder = self.project_folder(project)
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / LOCK_FILE):
            yield

    def _write_state(self, project: str, control: str, name: str, previous: Sequence[str]) -> None:
        state = self.serving_state(project)
        serving = {**state.serving, control: name}
        earlier = {**state.previous, control: list(previous)[:KEPT_VERSIONS]}
        file = self.project_folder(project) / SERVING_FILE
        write_json(file, {"serving": serving, "previous": earlier})


def _read_version(file: Path, project: str | None = None) -> TrainedVersion | None:
    """Return a version, as one of `project` if it is given.

    None if another server has removed it, or if its file is damaged, which costs it alone.
    """
    try:
        found = _read_json(file)
        version = _parse_version(found, file.parent)
    except FileNotFoundError:
        return None
    except (OSError, *DAMAGED) as error:
        logger.warning("%s cannot be read (%s): it is left out", file, type(error).__name__)
        return None
    return version if project is None else replace(version, project=project)


def _read_json(file: Path) -> dict[str, Any]:
    """Return the object in a file; one of DAMAGED if there is none, OSError if it is not there."""
    if file.stat().st_size > MAX_FILE_BYTES:
        raise ValueError("too large")
    found = orjson.loads(file.read_bytes())
    if not isinstance(found, dict):
        raise TypeError("no object")
    return found


def _parse_version(found: Mapping[str, Any], folder: Path) -> TrainedVersion:
    known = {one: found[one] for one in _FIELDS if one in found}
    version = TrainedVersion(**{**known, "folder": folder})
    texts = (version.project, version.backend, version.control, version.name, version.created)
    if not all(isinstance(one, str) for one in texts) or not isinstance(version.figures, Mapping):
        raise TypeError("a name is no text, or the figures are no object")
    return version


def _parse_state(found: Mapping[str, Any]) -> ServingState:
    serving = {str(control): name for control, name in found["serving"].items()}
    previous = {str(control): tuple(names) for control, names in found["previous"].items()}
    names = [*serving.values(), *chain(*previous.values())]
    if not all(isinstance(name, str) for name in names):
        raise TypeError("a version's name is no text")
    return ServingState(serving, previous)


def _let_everyone_read(folder: Path) -> None:
    """Open a version to servers of other users, as the folder above it decides.

    Some libraries write files that only their own user may read.
    """
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))


def _sync_all(folder: Path) -> None:
    """Wait until all files of a folder are on the disk."""
    for path in [folder, *folder.rglob("*")]:
        _sync(path)


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _remove(folder: Path) -> None:
    """Remove a version: it stops being one at once, whatever is left if the process ends here."""
    (folder / VERSION_FILE).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _next_number(parent: Path) -> int:
    numbers = (_NUMBER.match(folder.name) for folder in parent.iterdir())
    return max((int(found[1]) for found in numbers if found), default=0) + 1


def _order_key(file: Path) -> tuple[str, int]:
    found = _NUMBER.match(file.parent.name)
    return file.parent.parent.name, int(found[1]) if found else 0


def _safe_name(name: str) -> str:
    """Return a folder's name for a project or control tag, whatever is in it.

    Never `..`, the name of a file that is kept beside it, or longer than file systems allow.
    """
    plain = _UNSAFE.sub(lambda found: f"%{ord(found[0]):x}", name)
    if len(plain) > MAX_NAME_CHARACTERS:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
        plain = f"{plain[: MAX_NAME_CHARACTERS // 2]}%{digest[:16]}"
    if not plain.strip("."):
        return plain.replace(".", "%2e") + "%"
    is_taken = plain.startswith((".", SERVING_FILE))
    return plain.replace(".", "%2e", 1) if is_taken else plain
