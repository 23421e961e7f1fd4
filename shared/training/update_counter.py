"""Counts the changed annotations of each project: TRAIN_DIR/updates/PROJECT.json.

The count is one for all workers and servers that have the folder, and outlives them.
"""

from pathlib import Path

from shared.jobs.file_lock import locked
from shared.jobs.json_file import read_json, write_json
from shared.training.version_store import VersionStore


class UpdateCounter:
    """Tells when a project has had so many changes that it is to be trained again."""

    def __init__(self, train_dir: Path) -> None:
        self._folder = train_dir / "updates"
        self._store = VersionStore(train_dir)

    def add(self, project: str, changes: int, limit: int) -> bool:
        """Count changes; return whether there are `limit`, from which it counts anew.

        OSError if the count cannot be written, JobError if another process holds its lock.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._file(project)
        with locked(file.with_suffix(".lock")):
            total = self._read(file) + changes
            is_due = total >= limit
            write_json(file, {"project": project, "changes": 0 if is_due else total}, durable=False)
        return is_due

    def count(self, project: str) -> int:
        """Return the changes since the last training that they led to."""
        return self._read(self._file(project))

    def counts(self) -> dict[str, int]:
        """Return the changes of each project that had any."""
        files = sorted(self._folder.glob("*.json"))
        found = [read_json(file) or {} for file in files]
        return {str(one["project"]): int(one["changes"]) for one in found if one.get("changes")}

    def _file(self, project: str) -> Path:
        return self._folder / f"{self._store.project_folder(project).name}.json"

    @staticmethod
    def _read(file: Path) -> int:
        changes = (read_json(file) or {}).get("changes", 0)
        return changes if isinstance(changes, int) else 0
