"""A region that the annotator has drawn keeps its place and labels, and gets what is said of it."""

from typing import Any

import pytest

from backends.prompt import PromptBackend
from backends.prompt.models import ChatModel
from backends.prompt.question import Answer, Question
from shared.backend import ModelSpec
from shared.editor.browser import EditorBrowser
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.runtime import runtime
from tests.e2e.compare import differences
from tests.editor.test_quotes_drawn import DRAWN_TAGS, SAID, SHOWN, VALUES
from tests.prompt.regions.test_spans import build, quote
from tests.tiny import made, routed

# What the editor does with the answer to a region that was drawn.
ACCEPT = """(results) => {
  const annotation = Htx.annotationStore.selected;
  annotation.setSuggestions(results);
  const after = () => ({
    results: JSON.parse(JSON.stringify(annotation.serializeAnnotation())),
    marked: prelabelDrawn.highlights(),
  });
  return new Promise((done) => setTimeout(() => done(after()), 300));
}"""


class SayingModel:
    """Says the same of each region."""

    def ask(self, question: Question) -> Answer:
        return Answer(question, dict.fromkeys(question.schema["properties"], SAID))


class SayingBackend(PromptBackend):
    """The prompt backend with that model."""

    def load(self, spec: ModelSpec) -> ChatModel:
        return SayingModel()


@pytest.mark.parametrize(("control", "target"), DRAWN_TAGS)
def test_a_drawn_region_is_described_in_the_editor(
    control: str, target: str, browser: EditorBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPT_MODEL", "any")
    key, data, passages = SHOWN[target]
    xml = (
        f'<{control} name="ner" toName="shown"><Label value="Person"/><Label value="Company"/>'
        f'</{control}><{target} name="shown" value="${key}"/>{VALUES}'
    )
    config = LabelConfig.parse(f"<View>{xml}</View>")
    [region], _ = build(xml, {"ner": [quote("Acme", "Company")]}, passages)
    task: dict[str, Any] = {"id": 1, "data": {key: data}}
    browser.show(config, {**task, "annotations": [{"result": list(region.results)}]}, "annotations")
    drawn = browser.select(0)  # as the editor sends it
    plan = routed(made(SayingBackend, config.xml), xml=config.xml)
    [outcome] = runtime().pipeline.run(plan, [task], {"result": drawn})
    assert outcome.prediction is not None
    sent = list(outcome.prediction.results)
    assert {result["from_name"] for result in sent} == {"ner", *SAID}
    shown = browser.ask(ACCEPT, sent)
    assert shown["marked"] == {region.id: "Acme"}
    places = [{**one, "value": {k: v for k, v in one["value"].items() if k != "globalOffsets"}}
              for one in sent]  # fmt: skip
    assert differences(sent if target == "HyperText" else places, shown["results"]) == []
