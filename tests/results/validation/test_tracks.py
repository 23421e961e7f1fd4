"""Tracks that the editor draws elsewhere than meant are named, and others are not."""

import pytest

from shared.label_studio.label_config import LabelConfig
from shared.results.validation import check_results
from tests.e2e.tracks import CONFIG, ROWS, Row, key, track

PARSED = LabelConfig.parse(CONFIG)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_what_is_said_is_what_the_editor_does(row: Row) -> None:
    """tests/e2e/test_tracks.py holds `drawn` and `bars` to the real editor."""
    found = check_results(PARSED, [row.result()])
    assert [finding.rule for finding in found] == ([row.rule] if row.rule else [])
    for finding in found:
        assert finding.severity == row.severity
        assert row.says in finding.message


@pytest.mark.parametrize("count", [0, -3, "20", True, 2.5], ids=repr)
def test_a_number_of_frames_that_is_none_bounds_nothing(count: object) -> None:
    value = track(key(5), key(60), framesCount=count)
    found = check_results(PARSED, [Row(value).result()])
    assert {finding.severity for finding in found} <= {"warning"}


def test_labels_of_a_track_are_held_to_the_same() -> None:
    """Where the label is a result of its own, it has the track again."""
    box = Row(track(key(0), labels=None)).result()
    label = {**box, "from_name": "label", "type": "labels", "value": track(key(0))}
    assert [found.rule for found in check_results(PARSED, [box, label])] == ["frame", "frame"]
