"""What the editor marks of each XPath that `validate` knows of, right and wrong ones."""

import pytest

from .editor_alone import EditorAlone
from .label_studio import LabelStudio
from .paths import CONFIG, DATA, ROWS

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def marked(label_studio: LabelStudio, editor_alone: EditorAlone) -> dict[str, str]:
    """The text under the region's highlight, by the row: a task's predictions."""
    project = label_studio.create_project("Paths", CONFIG)
    predictions = [
        {"model_version": name, "score": 0.5, "result": [row.result()]}
        for name, row in ROWS.items()
    ]
    [task] = label_studio.import_tasks(project, [{"data": DATA, "predictions": predictions}])
    found = editor_alone.marked(project, task)
    return {name: regions.get("r", "") for name, regions in zip(ROWS, found, strict=True)}


@pytest.mark.parametrize("name", ROWS)
def test_the_editor_marks_what_the_row_says(name: str, marked: dict[str, str]) -> None:
    assert marked[name] == ROWS[name].marked
