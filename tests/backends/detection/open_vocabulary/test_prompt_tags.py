"""A prompt beside boxes is read by a model that finds what is typed, and the message says so."""

import pytest

from backends.detection import DetectionBackend
from backends.ocr import OcrBackend
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.runtime import runtime

IMAGE = '<Image name="i" value="$i"/>'
PROMPT = '<TextArea name="prompt" toName="i"/>'
BOXES = '<RectangleLabels name="b" toName="i"><Label value="dog"/></RectangleLabels>'
CLASSES = '<Choices name="c" toName="i"><Choice value="dog"/></Choices>'
SENTENCE = (
    'TextArea "prompt" is not read: set DETECTION_MODEL to a model that finds what is typed, such'
    " as IDEA-Research/grounding-dino-tiny (extra open-vocabulary)"
)


@pytest.mark.parametrize(
    ("model", "tags", "problems"),
    [
        pytest.param("yolo11n.pt", PROMPT + BOXES, [SENTENCE], id="detector"),
        pytest.param("IDEA-Research/grounding-dino-base", PROMPT + BOXES, [], id="words"),
        pytest.param("yolo11n.pt", PROMPT + CLASSES, [], id="no-boxes"),
        pytest.param("yolo11n.pt", BOXES, [], id="no-prompt"),
    ],
)
def test_problems(
    model: str, tags: str, problems: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DETECTION_MODEL", model)
    config = LabelConfig.parse(f"<View>{IMAGE}{tags}</View>")
    backends = [cls(label_config=config.xml, served=True) for cls in (DetectionBackend, OcrBackend)]
    assert [*runtime().planner.plan(config, backends).problems] == problems
