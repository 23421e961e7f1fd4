"""Relations between regions."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from shared.results.region import Region
from shared.results.types import Result

Direction = Literal["right", "left", "bi"]


@dataclass(frozen=True)
class Relation:
    """A line from one region to another; `direction` is where its arrow points.

    `labels` are among those of the label config's Relations tag.
    """

    from_id: str
    to_id: str
    direction: Direction = "right"
    labels: Sequence[str] = ()

    @property
    def result(self) -> Result:
        """The entry in the `result` list, which has no id, no value and no control tag."""
        result: Result = {
            "from_id": self.from_id,
            "to_id": self.to_id,
            "type": "relation",
            "direction": self.direction,
        }
        return result | {"labels": list(self.labels)} if self.labels else result

    @classmethod
    def from_result(cls, result: Mapping[str, Any]) -> "Relation":
        """Read a relation from an entry of a `result` list."""
        direction: Direction = result.get("direction") or "right"
        return cls(result["from_id"], result["to_id"], direction, tuple(result.get("labels") or ()))


def relation(
    source: Region, target: Region, direction: Direction = "right", labels: Iterable[str] = ()
) -> Region:
    """Build a relation between two regions of one prediction; it must come after both of them."""
    line = Relation(source.id, target.id, direction, tuple(labels))
    ids = f"{source.id} {target.id}".encode()
    return Region(hashlib.blake2b(ids, digest_size=6).hexdigest(), (line.result,))
