"""What the editor highlights is the text that was meant, character for character."""

import re
from collections.abc import Mapping

import pytest

from .characters import config, data, words
from .compare import differences
from .editor_alone import EditorAlone, Result
from .label_studio import LabelStudio

pytestmark = pytest.mark.e2e

WORDS = words()
"""A region for each word of each text."""


@pytest.fixture(scope="module")
def page(
    label_studio: LabelStudio, editor_alone: EditorAlone
) -> tuple[Mapping[str, Result], Mapping[str, str]]:
    """The editor's results and what it highlights, by the region's id: all texts on one page."""
    project = label_studio.create_project("Characters", config())
    results = [result for found in WORDS.values() for region in found for result in region.results]
    predictions = [{"model_version": "words", "score": 0.5, "result": results}]
    [task] = label_studio.import_tasks(project, [{"data": data(), "predictions": predictions}])
    [displayed] = editor_alone.predictions(project, task)
    return {result["id"]: result for result in displayed}, editor_alone.highlights()


@pytest.mark.parametrize("name", WORDS)
def test_each_word_is_highlighted(
    name: str, page: tuple[Mapping[str, Result], Mapping[str, str]]
) -> None:
    displayed, highlighted = page
    for region in WORDS[name]:
        [sent] = region.results
        assert highlighted[region.id] == sent["value"]["text"]
        assert differences([comparable(sent)], [comparable(displayed[region.id])]) == []


def comparable(result: Result) -> Result:
    """Of a dialogue the editor writes a text of its own: it cuts the span's offsets out of what is
    seen, where white space is one space (HtxParagraphs, _getResultText)."""
    if result["type"] != "paragraphlabels":
        return result
    return {**result, "value": {k: v for k, v in result["value"].items() if k != "text"}}


def test_there_are_words_to_highlight() -> None:
    empty = [name for name, found in WORDS.items() if not found]
    assert [re.sub(".*: ", "", name) for name in empty] == ["empty", "spaces alone"] * 2
