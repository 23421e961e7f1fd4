"""Splits tasks into train, val and test: by a hash of their content, whatever is added later.

Which part a task comes into depends on what it shows, on the seed, and on tasks that were annotated
before it, never on later ones: so tasks that are added move no other. (That is also why the shares
are not exact: whatever assigns exactly has to move tasks when others come.)

1. Tasks are taken in the order in which they were annotated (by the ids of annotations, then of
   tasks, then as they come).
2. Pages of one document, and near-duplicates of a task before, come where that one is.
3. Of others the hash decides: it is as likely below 0.8 as the share of train is.
4. Unless a label of the task has come so often that a part should have one, but has none: then the
   task comes there. Each part has a label from the time on that it has come 1/share times, and
   once more for each further part.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from shared.evaluation.dataset.near_duplicates import SimilarImages, SimilarTexts, TextSignature

# The hash is read as a number from 0 to below 1.
HASH_BYTES = 8
# Seeds that are tried for a better one to name, and tasks with all of them together.
TRIED_SEEDS = 100
TRIED_TASKS = 1_000_000
NONE_FIXED: Mapping[int, int] = MappingProxyType({})


@dataclass
class SplitEntry:
    """What the split needs to know of a task.

    `order` sorts tasks by the time of their annotation; `content` is the digest of what it shows,
    `document` that of which it is a page; `labels` are numbers of labels.
    """

    order: tuple[float, float, int]
    content: bytes
    labels: tuple[int, ...] = ()
    document: str | None = None
    image: int = 0
    text: TextSignature | None = None


@dataclass
class Grouping:
    """Groups of tasks that stay together: the number of each entry's group, and its first entry."""

    groups: list[int]
    first: list[int] = field(default_factory=list)

    @property
    def joined(self) -> int:
        """How many entries stay with one before."""
        return len(self.groups) - len(self.first)


def group_entries(entries: Sequence[SplitEntry], near_duplicates: bool = True) -> Grouping:
    """Return the groups of entries: of one document, equal, or nearly the same as the first one."""
    finder = _GroupFinder(near_duplicates)
    made = Grouping([0] * len(entries))
    for place in sorted(range(len(entries)), key=lambda place: entries[place].order):
        group = finder.find_group(entries[place], len(made.first))
        made.groups[place] = group
        if group == len(made.first):
            made.first.append(place)
    return made


class _GroupFinder:
    def __init__(self, near_duplicates: bool) -> None:
        self._near_duplicates = near_duplicates
        self._documents: dict[str, int] = {}
        self._contents: dict[bytes, int] = {}
        self._images, self._texts = SimilarImages(), SimilarTexts()

    def find_group(self, entry: SplitEntry, new: int) -> int:
        """Return the group of an entry; `new` if it begins one."""
        group = self._documents.get(entry.document, new) if entry.document else new
        if group == new:
            group = self._contents.get(entry.content, new)
        if self._near_duplicates:
            group = self._find_similar(entry, group, new)
        if entry.document:
            self._documents.setdefault(entry.document, group)
        self._contents.setdefault(entry.content, group)
        return group

    def _find_similar(self, entry: SplitEntry, group: int, new: int) -> int:
        """Return the group of a similar entry, unless it has one; later ones may find it."""
        if entry.image:
            found = self._images.find_or_add(entry.image, group)
            group = found if group == new else group
        if entry.text is not None:
            found = self._texts.find_or_add(entry.text, group)
            group = found if group == new else group
        return group


def assign_parts(
    entries: Sequence[SplitEntry],
    grouping: Grouping,
    shares: Sequence[float],
    seed: int,
    fixed: Mapping[int, int] = NONE_FIXED,
) -> list[int]:
    """Return the number of the part of each entry; `shares` are those of the parts.

    `fixed` are the parts of groups that have one already.
    """
    counter = _LabelCounter(shares)
    parts = []
    for group, place in enumerate(grouping.first):
        entry = entries[place]
        part = fixed.get(group)
        if part is None:
            part = counter.find_lacking_part(entry.labels)
        if part is None:
            part = part_of_hash(entry.document or entry.content, shares, seed)
        counter.count(entry.labels, part)
        parts.append(part)
    return [parts[group] for group in grouping.groups]


def part_of_hash(key: str | bytes, shares: Sequence[float], seed: int) -> int:
    """Return the number of the part into which the hash of a content falls."""
    data = key.encode("utf-8", "surrogatepass") if isinstance(key, str) else key
    digest = hashlib.blake2b(b"%d:" % seed + data, digest_size=HASH_BYTES).digest()
    drawn = int.from_bytes(digest, "big") / (1 << 8 * HASH_BYTES)
    for part, share in enumerate(shares[:-1]):
        drawn -= share
        if drawn < 0:
            return part
    return len(shares) - 1


class _LabelCounter:
    """Counts labels in each part, and finds parts that should have had one by now."""

    def __init__(self, shares: Sequence[float]) -> None:
        self._shares = shares
        self._counts: dict[int, list[int]] = {}

    def find_lacking_part(self, labels: Sequence[int]) -> int | None:
        """Return the part that lacks one of the labels most; None if none lacks any."""
        lacking = (pair for label in labels for pair in self._lacks(label))
        return max(lacking, default=(0.0, None))[1]

    def _lacks(self, label: int) -> Iterator[tuple[float, int]]:
        counts = self._counts.get(label)
        if counts is None or all(counts):
            return
        total = sum(counts) + 1  # with the one that comes now
        for part, share in enumerate(self._shares):
            if not counts[part] and total * share >= 1:
                yield total * share, part

    def count(self, labels: Sequence[int], part: int) -> None:
        for label in labels:
            self._counts.setdefault(label, [0] * len(self._shares))[part] += 1


@dataclass(frozen=True)
class LackingLabels:
    """Labels that a part lacks: those that come too rarely to be in each, and the others."""

    rare: frozenset[int]
    others: frozenset[int]


def lacking_labels(
    entries: Sequence[SplitEntry], grouping: Grouping, parts: Sequence[int], count: int
) -> LackingLabels:
    """Return the labels that one of the `count` parts lacks."""
    found: dict[int, tuple[set[int], set[int]]] = {}
    for entry, group, part in zip(entries, grouping.groups, parts, strict=True):
        for label in entry.labels:
            own_groups, own_parts = found.setdefault(label, (set(), set()))
            if len(own_groups) < count:
                own_groups.add(group)
            own_parts.add(part)
    lacking = {label: groups for label, (groups, own) in found.items() if len(own) < count}
    rare = frozenset(label for label, groups in lacking.items() if len(groups) < count)
    return LackingLabels(rare, frozenset(lacking) - rare)


def find_better_seed(
    entries: Sequence[SplitEntry], grouping: Grouping, shares: Sequence[float]
) -> int | None:
    """Return the first seed with which each part has all labels that are not too rare.

    None if it is not found soon.
    """
    for seed in range(min(TRIED_SEEDS, TRIED_TASKS // max(len(entries), 1))):
        parts = assign_parts(entries, grouping, shares, seed)
        if not lacking_labels(entries, grouping, parts, len(shares)).others:
            return seed
    return None
