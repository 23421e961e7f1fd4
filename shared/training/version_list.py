"""The versions of a project as they are listed: which serve, with their figures and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.evaluation.figures import FigureRow, control_rows
from shared.training.version_store import ServingState, TrainedVersion, VersionStore

SERVES, SERVED, CANDIDATE = "serves", "served before", "candidate"


@dataclass(frozen=True)
class VersionEntry:
    """A version, and what it is: it serves, it served before, or it is a candidate.

    `row` and `before` are the figures of the control tag on the held-out tasks: its own, and
    those of the model that served then; None if there are none.
    """

    version: TrainedVersion
    state: str
    row: FigureRow | None
    before: FigureRow | None

    @property
    def reason(self) -> str:
        """Why the gate let it serve, or did not, in one sentence; empty if it did not ask."""
        return str(self.version.figures.get("reason") or "")

    @property
    def compared_with(self) -> str:
        """What served when it was trained; empty if nothing did."""
        return str(self.version.figures.get("serving_version") or "")

    def to_json(self) -> dict[str, Any]:
        """Return what `--format json` writes."""
        return {
            "control": self.version.control,
            "version": self.version.name,
            "state": self.state,
            "backend": self.version.backend,
            "created": self.version.created,
            "figures": self.version.figures,
        }


def list_entries(store: VersionStore, project: str) -> list[VersionEntry]:
    """Return a project's versions by control tag, the newest first."""
    state, serving = store.serving_state(project), store.serving_versions(project)
    by_control: dict[str, list[VersionEntry]] = {}
    for version in store.list_versions(project):
        name = serving[version.control].name if version.control in serving else ""
        entry = VersionEntry(
            version,
            _state_of(version, name, state),
            _read_row(version, "candidate"),
            _read_row(version, "serving"),
        )
        by_control.setdefault(version.control, []).insert(0, entry)
    return [entry for entries in by_control.values() for entry in entries]


def _state_of(version: TrainedVersion, serving: str, state: ServingState) -> str:
    if version.name == serving:
        return SERVES
    return SERVED if version.name in state.previous.get(version.control, ()) else CANDIDATE


def _read_row(version: TrainedVersion, key: str) -> FigureRow | None:
    part = version.figures.get(key)
    if not isinstance(part, Mapping) or not part:
        return None
    return control_rows({"controls": {version.control: part}})[0]
