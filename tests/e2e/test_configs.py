"""What the editor shows of each label config that `validate` has a word for."""

import pytest

from .configs import ROWS, Row
from .editor import Editor
from .editor_alone import EditorAlone
from .label_studio import LabelStudio
from .media import image

pytestmark = pytest.mark.e2e

# Their object tags take the task's text for the address of a file, which the editor alone must read
# before it begins.
UNREADABLE = ("Enterprise's", "a later release's")


def result(row: Row) -> dict[str, object]:
    """A box of the control tag "c", whatever that is."""
    kind = row.xml.partition(' name="c"')[0].rpartition("<")[2].lower()
    value = {"x": 10, "y": 10, "width": 20, "height": 20, "rotation": 0, kind: ["a"]}
    return {"id": "r", "from_name": "c", "to_name": "o", "type": kind, "value": value}


@pytest.mark.parametrize("name", ROWS)
def test_the_editor_shows_what_the_row_says(
    name: str, label_studio: LabelStudio, request: pytest.FixtureRequest
) -> None:
    row = ROWS[name]
    project = label_studio.create_project(f"Config: {name}"[:50], row.xml)
    data = {"image": image(), "text": "Hello there"}
    predictions = [{"model_version": "m", "score": 0.5, "result": [result(row)]}]
    [task] = label_studio.import_tasks(project, [{"data": data, "predictions": predictions}])
    opened: Editor | EditorAlone = request.getfixturevalue(
        "editor" if name in UNREADABLE else "editor_alone"
    )
    shown, regions = opened.config(project, task)
    if row.error:
        assert row.error in shown
    else:
        assert shown == ""
        assert [region.removesuffix("region") != "" for region in regions] == [row.drawn]
