"""What a training made of a control tag."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TagOutcome:
    """What became of a control tag: a version that serves, a candidate, or nothing.

    `reason` says why, in a part of a sentence. The figures stand in the version's `version.json`.
    """

    control: str
    tag: str
    reason: str
    backend: str = ""
    version: str = ""
    is_serving: bool = False
    labels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What became of it, without a full stop."""
        what = "is not trained"
        if self.version:
            what = f"is served by {self.version}" if self.is_serving else "is not served by the new"
            what += "" if self.is_serving else f" {self.version}, which is kept as a candidate"
        return f'{self.tag} "{self.control}" {what}: {self.reason}'

    def to_json(self) -> dict[str, Any]:
        """Return it as the job's result has it."""
        state = "not trained"
        if self.version:
            state = "serving" if self.is_serving else "candidate"
        found = {
            "control": self.control,
            "tag": self.tag,
            "state": state,
            "reason": self.reason,
            "backend": self.backend,
            "version": self.version,
            "labels": list(self.labels),
            "notes": list(self.notes),
        }
        return {key: value for key, value in found.items() if value not in ("", [])}
