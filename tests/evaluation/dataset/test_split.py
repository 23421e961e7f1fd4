"""The split: stable, stratified, and with what belongs together in one part."""

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from shared.evaluation.dataset.near_duplicates import (
    MAX_DIFFERENT_BITS,
    image_signature,
    text_signature,
)
from shared.evaluation.dataset.split import (
    LackingLabels,
    SplitEntry,
    assign_parts,
    find_better_seed,
    group_entries,
    lacking_labels,
)

from .building import noise

SHARES = (0.8, 0.1, 0.1)


def entry(number: int, labels: Sequence[int] = (), **more: object) -> SplitEntry:
    content = hashlib.blake2b(b"%d" % number, digest_size=16).digest()
    return SplitEntry((number, number, number), content, tuple(labels), **more)  # type: ignore[arg-type]


def split(entries: Sequence[SplitEntry], seed: int = 0) -> list[int]:
    return assign_parts(entries, group_entries(entries), SHARES, seed)


@pytest.mark.parametrize("seed", range(5))
def test_added_tasks_move_no_other(seed: int) -> None:
    """With three rare labels, near-duplicates and documents among the old and the new."""
    signatures = [image_signature(noise(number // 3)) for number in range(300)]
    entries = [
        entry(
            number,
            [number % 3 + 10 if number % 40 < 2 else number % 4],
            document=f"book {number // 7}" if number % 5 == 0 else None,
            image=signatures[number],
        )
        for number in range(300)
    ]
    before, after = split(entries[:200], seed), split(entries, seed)
    assert after[:200] == before
    assert len(set(after[200:])) == 3


def test_the_order_of_tasks_does_not_matter() -> None:
    entries = [entry(number, [number % 5]) for number in range(100)]
    assert split(entries[::-1]) == split(entries)[::-1]


def test_the_seed_decides() -> None:
    entries = [entry(number) for number in range(100)]
    assert split(entries, 1) == split(entries, 1)
    assert split(entries, 1) != split(entries, 2)


def test_shares_are_kept() -> None:
    """Of 10,000 tasks 8,000 are expected in train; the standard deviation is 40."""
    counts = Counter(split([entry(number, [number % 3]) for number in range(10_000)]))
    assert abs(counts[0] - 8000) < 160
    assert abs(counts[1] - 1000) < 120
    assert abs(counts[2] - 1000) < 120


@pytest.mark.parametrize("seed", range(20))
def test_rare_labels_come_into_each_part(seed: int) -> None:
    """Three labels of 12 tasks each among 3,000: 10 is 1/0.1, and two more for two parts."""
    rare = {number: number % 3 + 1 for number in range(0, 3000, 83)}
    assert Counter(rare.values()) == {1: 13, 2: 12, 3: 12}
    entries = [entry(number, [rare.get(number, 0)]) for number in range(3000)]
    parts = split(entries, seed)
    assert lacking(entries, parts) == LackingLabels(frozenset(), frozenset())
    for label in (1, 2, 3):
        counts = Counter(parts[number] for number, own in rare.items() if own == label)
        assert counts[0] >= 5, "most are still in train"


def lacking(entries: Sequence[SplitEntry], parts: Sequence[int]) -> LackingLabels:
    return lacking_labels(entries, group_entries(entries), parts, 3)


def test_a_better_seed_is_found() -> None:
    """Label 1 has four tasks; label 2 has two, which cannot be in three parts."""
    labels = {0: 1, 1: 1, 2: 1, 3: 1, 4: 2, 5: 2}
    entries = [entry(number, [labels.get(number, 0)]) for number in range(200)]
    grouping = group_entries(entries)
    assert lacking(entries, split(entries)) == LackingLabels(frozenset([2]), frozenset([1]))
    seed = find_better_seed(entries, grouping, SHARES)
    assert seed is not None
    assert lacking(entries, split(entries, seed)) == LackingLabels(frozenset([2]), frozenset())


def test_pages_of_a_document_stay_together() -> None:
    entries = [entry(number, document=f"book {number // 50}") for number in range(500)]
    parts = split(entries)
    assert all(len(set(parts[start : start + 50])) == 1 for start in range(0, 500, 50))
    assert len(set(parts)) > 1


def test_equal_contents_stay_together_when_near_duplicates_are_ignored() -> None:
    entries = [entry(number // 2) for number in range(200)]
    grouping = group_entries(entries, near_duplicates=False)
    assert grouping.joined == 100
    parts = assign_parts(entries, grouping, SHARES, 0)
    assert parts[::2] == parts[1::2]


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        ("The quick brown fox jumps over the lazy dog near the river bank today", True),
        ("the QUICK brown fox -- jumps over the lazy dog, near the river bank today!", True),
        ("The quick brown fox jumps over the lazy dog near the river bank now", True),
        ("A man walked slowly home when the rain had stopped and it was dark", False),
        ("", False),
    ],
    ids=["equal", "case and punctuation", "one word", "another", "empty"],
)
def test_texts(other: str, alike: bool) -> None:
    text = "The quick brown fox jumps over the lazy dog near the river bank today"
    entries = [entry(number, text=text_signature(one)) for number, one in enumerate((text, other))]
    assert (group_entries(entries).joined == 1) is alike


def test_pictures() -> None:
    """What JPEG does to a picture changes few bits; another picture, or a moved object, many."""
    import cv2

    picture = cv2.resize(noise(1), (320, 240), interpolation=cv2.INTER_CUBIC)
    _, packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 40])
    compressed = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    smaller = cv2.resize(picture, (200, 150), interpolation=cv2.INTER_AREA)
    plain = np.full((240, 320, 3), 128, np.uint8)
    left, right = plain.copy(), plain.copy()
    left[100:160, 40:120] = 250
    right[100:160, 200:280] = 250

    def differ(one: object, other: object) -> int:
        return (image_signature(one) ^ image_signature(other)).bit_count()  # type: ignore[arg-type]

    assert differ(picture, compressed) <= MAX_DIFFERENT_BITS
    assert differ(picture, smaller) <= MAX_DIFFERENT_BITS
    assert differ(picture, noise(2)) > 4 * MAX_DIFFERENT_BITS
    assert differ(left, right) > MAX_DIFFERENT_BITS
    assert image_signature(plain) == 0


def test_plain_pictures_are_no_near_duplicates() -> None:
    entries = [entry(number, image=0) for number in range(3)]
    assert group_entries(entries).joined == 0
