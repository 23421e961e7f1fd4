"""The order into which a model brings the items of a List."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.backend import Control
from shared.results import Omission
from shared.results.validation.finding import quote


@dataclass
class Ranking:
    """Item ids by bucket, of a tag without buckets by its own name; each id stands once.

    `known` are the ids of the List; None if they are not known.
    """

    control: Control
    pointer: str
    known: Collection[str] | None
    buckets: dict[str, list[str]] = field(default_factory=dict)
    omissions: list[Omission] = field(default_factory=list)

    def __post_init__(self) -> None:
        names = self.control.buckets or (self.control.name,)
        self.buckets = {name: [] for name in names}

    @property
    def ranked(self) -> set[str]:
        """The ids that have a place."""
        return {item for items in self.buckets.values() for item in items}

    def add(self, bucket: Any, items: Any) -> None:
        """Add the items of a bucket; what there is not is named."""
        if bucket not in self.buckets or not isinstance(items, list):
            self.omit(f"{self.pointer}: {quote({str(bucket): items})} is no bucket")
            return
        for place, item in enumerate(map(_item_id, items)):
            if self.known is not None and item not in self.known:
                self.omit(f"{self.pointer}/{bucket}/{place}: there is no item {quote(item)}")
            elif item not in self.ranked:
                self.buckets[bucket].append(item)

    def omit(self, problem: str) -> None:
        """Name what no place can hold."""
        self.omissions.append(
            Omission("answer", f"{self.control}: the model's answer at {problem}")
        )

    def complete(self) -> None:
        """Put the items that the model left out last, where the editor would lose them.

        That is without buckets, and with a default bucket; otherwise it shows them as unranked.
        """
        default = self.control.default_bucket if self.control.buckets else self.control.name
        ranked = self.ranked
        if default and self.known is not None:
            self.buckets[default] += [item for item in self.known if item not in ranked]


def read_ranking(
    control: Control, value: Any, pointer: str, ids: Iterable[Any] | None
) -> tuple[Mapping[str, list[str]] | None, list[Omission]]:
    """Return the item ids in each bucket, None if none is ranked; and what was left out."""
    ranking = Ranking(control, pointer, None if ids is None else list(map(str, ids)))
    if not control.buckets and not isinstance(value, dict):
        value = {control.name: value}
    if not isinstance(value, dict):
        ranking.omit(f"{pointer}: {quote(value)} is no object of buckets")
        value = {}
    for bucket, items in value.items():
        ranking.add(bucket, items)
    if not ranking.ranked:
        return None, ranking.omissions
    ranking.complete()
    return ranking.buckets, ranking.omissions


def _item_id(item: Any) -> str:
    """Return an item's id; models like to write whole items."""
    return str(item.get("id", item) if isinstance(item, dict) else item)
