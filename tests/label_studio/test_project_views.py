"""Which views of a project are ours, by the data that Label Studio stores."""

from typing import Any

import pytest

from shared.label_studio.project_views import read_mark

SORTED = ["-tasks:data.prelabel_label_error"]


@pytest.mark.parametrize(
    ("data", "mark"),
    [
        ({"prelabel": "prelabel_next", "title": "Mine now", "ordering": []}, "prelabel_next"),
        # As Label Studio's page saved the view when it was only opened: without unknown keys.
        (
            {
                "title": "Annotations that may be wrong",
                "type": "list",
                "columnsDisplayType": {"tasks:data.prelabel_label_error": "Number"},
                "ordering": SORTED,
            },
            "prelabel_label_error",
        ),
        (
            {
                "title": "Worst predictions first (v1)",
                "ordering": ["tasks:data.prelabel_result_v1_score"],
            },
            "prelabel_result_v1_score",
        ),
        ({"title": "Copy of mine", "ordering": SORTED}, None),
        ({"title": "Label next", "ordering": ["tasks:id"]}, None),
        ({"title": "Label next", "ordering": None}, None),
        ({}, None),
    ],
    ids=["marked", "saved by the page", "a version", "a user's", "other order", "none", "empty"],
)
def test_views_of_ours_are_known(data: dict[str, Any], mark: str | None) -> None:
    assert read_mark(data) == mark
