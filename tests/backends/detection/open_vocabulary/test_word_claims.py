"""Predictions by words: labels, thresholds, what is typed, and what is asked in vain."""

from typing import Any

import numpy as np
import pytest

from backends.detection.model.detections import Detections
from backends.detection.open_vocabulary import families, word_table
from backends.detection.open_vocabulary.word_table import WordTable
from backends.detection.regions.objects import without_repetitions
from shared.backend.claim import ModelSpec
from shared.errors import ModelError, UnfillableError
from shared.label_studio.label_config import LabelConfig
from shared.pipeline import runtime
from shared.results import ImageSize
from shared.settings import Settings, changed_environment
from tests.backends.detection.conftest import data_url, route_of
from tests.backends.detection.open_vocabulary.conftest import Ask, Model, boxes_tag
from tests.backends.detection.open_vocabulary.word_networks import save_clip, word_vectors

WORLD, YOLOE = "yolov8n-worldv2", "yoloe-v8n"
PROMPT = '<TextArea name="prompt" toName="image"/>'


def typed(text: str) -> dict[str, Any]:
    """Return the context that the editor sends when a text was typed."""
    value = {"text": [text]}
    result = {"from_name": "prompt", "to_name": "image", "type": "textarea", "value": value}
    return {"result": [result]}


def labels_of(answer: dict[str, Any]) -> set[str]:
    """Return the labels of all boxes."""
    return {label for one in answer["result"] for label in one["value"]["rectanglelabels"]}


def test_words_in_the_file_need_no_text_encoder(ask: Ask) -> None:
    """A label whose word the weights know is found; one that they do not know stays empty."""
    tag = boxes_tag("Circle", "zebra", model_score_threshold=0.001)
    assert labels_of(ask(WORLD, tag)) == {"Circle"}


@pytest.mark.parametrize(
    ("name", "file"),
    [(WORLD, "openai/clip-vit-base-patch32"), ("yoloe-v8n-wordless", "mobileclip_blt.ts")],
)
def test_words_without_an_encoder_are_an_error_that_names_it(
    name: str, file: str, ask: Ask
) -> None:
    """It says which setting and which files are missing."""
    with pytest.raises(UnfillableError, match=f"DETECTION_TEXT_ENCODER.*{file}"):
        ask(name, boxes_tag("zebra"))


def test_an_incomplete_text_encoder_says_what_it_lacks(ask: Ask, model: Model) -> None:
    """A folder without weights names the file."""
    folder = model("clip").with_name("tokenizer-only")
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_bytes((model("clip") / "tokenizer.json").read_bytes())
    for name in ("tokenizer_config.json",):
        (folder / name).write_bytes((model("clip") / name).read_bytes())
    with pytest.raises(ModelError, match=r"tokenizer-only lacks model\.safetensors"):
        ask(YOLOE, boxes_tag("zebra"), DETECTION_TEXT_ENCODER=folder.name)


def test_an_encoder_of_other_dimensions_is_refused(model: Model) -> None:
    """The message names both numbers."""
    from backends.detection.open_vocabulary.text_encoder import load_text_encoder

    folder = save_clip(model("clip").with_name("clip-16"), projection_dim=16)
    table = WordTable("net.pt", 512, {}, load_text_encoder(str(folder), Settings()))
    with pytest.raises(ModelError, match=r"16 numbers a word, and net\.pt was trained with 512"):
        table.embed(["cat"])


def test_words_are_encoded_once() -> None:
    """Of several sets of words each word reaches the encoder once."""
    seen: list[str] = []

    class Encoder:
        def encode(self, words: Any) -> Any:
            seen.extend(words)
            return word_vectors(words)

    table = WordTable("net.pt", 512, {}, Encoder())
    known, embeddings = table.embed(["cat", "dog"])
    again = table.embed(["dog", "cat", "cow"])[1]
    assert known == ("cat", "dog")
    assert embeddings.shape == (1, 2, 512)
    assert (again[0, :2] == embeddings[0, ::-1]).all()
    assert seen == ["cat", "dog", "cow"]


def test_projects_with_other_words_share_the_network(ask: Ask) -> None:
    """Two label configs of one model have one spec; what they ask for is in their items."""
    configs = [
        f'<View><Image name="image" value="$image"/>{boxes_tag(label)}</View>'
        for label in ("circle", "car")
    ]
    ask(WORLD, boxes_tag("circle"))
    with changed_environment({"DETECTION_MODEL": f"{WORLD}.pt"}):
        plans = [route_of(xml) for xml in configs]
    assert len({step.spec for plan in plans for step in plan.steps}) == 1
    assert len({plan.version() for plan in plans}) == 2


def test_labels_have_thresholds_of_their_own(ask: Ask) -> None:
    """`model_score_threshold` of a Label stands in place of its tag's."""
    both = boxes_tag("circle", "car", model_score_threshold=0.001)
    one = boxes_tag('value="circle" model_score_threshold="1"', "car", model_score_threshold=0.001)
    assert labels_of(ask(WORLD, both)) == {"circle", "car"}
    assert labels_of(ask(WORLD, one)) == {"car"}


def test_several_words_of_a_label_give_one_box() -> None:
    """An object that two words of a label name is one region, the one with the higher score."""
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [20, 0, 30, 10], [0, 0, 10, 10]], np.float32)
    scores, classes = np.array([0.9, 0.8, 0.7, 0.6], np.float32), np.array([0, 1, 1, 2])
    names = "car", "sedan", "lorry"
    found = Detections(ImageSize(40, 20), names, boxes, scores, classes, iou_threshold=0.7)
    labels = {0: "Car", 1: "Car", 2: "Lorry"}
    rows = [(row, labels[int(number)]) for row, number in enumerate(classes)]
    assert without_repetitions(rows, found) == [(0, "Car"), (2, "Car"), (3, "Lorry")]


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("circle", {"Square"}),  # no label is called so: the first one
        ("car", {"Auto"}),
        ("circle_auto, square", {"Square", "Auto"}),
        ("", set()),
        ("🚗", set()),
    ],
    ids=["first", "predicted", "typed-label", "empty", "emoji"],
)
def test_boxes_of_a_typed_text(text: str, labels: set[str], ask: Ask) -> None:
    """What was typed is found; the label is the word's own, the typed one, or the first."""
    tags = PROMPT + boxes_tag(
        "Square", 'value="Auto" predicted_values="car"', model_score_threshold=0.001
    )
    answer = ask(WORLD, tags, context=typed(text))
    assert labels_of(answer) == labels


def test_a_drawn_region_is_left_to_other_backends(ask: Ask) -> None:
    """A context without a text is answered with nothing, as by a network of fixed classes."""
    drawn = {"from_name": "box", "to_name": "image", "type": "rectanglelabels", "value": {}}
    tags = PROMPT + boxes_tag("circle", model_score_threshold=0.001)
    assert ask(WORLD, tags, context={"result": [drawn]})["result"] == []


def test_a_thousand_labels(ask: Ask) -> None:
    """All are asked for at once, and those without a word are left out."""
    labels = [f"label {number}" for number in range(999)]
    tag = boxes_tag(*labels, "🚗", model_score_threshold=0.001)
    found = labels_of(ask(WORLD, tag, DETECTION_TEXT_ENCODER="clip"))
    assert found
    assert found <= set(labels)


def test_labels_without_any_word_are_an_error(ask: Ask) -> None:
    """The message says where a word may stand."""
    with pytest.raises(UnfillableError, match="predicted_values, value, hint or alias"):
        ask("owlvit", boxes_tag("🚗"))


def test_masks_of_words(ask: Ask) -> None:
    """SAM 3 fills brushes; a finder of boxes says that it cannot."""
    tag = '<BrushLabels name="brush" toName="image" model_score_threshold="0.01">'
    brushes = ask("sam3", f'{tag}<Label value="circle"/></BrushLabels>')["result"]
    assert brushes
    assert all(one["value"]["rle"] for one in brushes)
    with pytest.raises(UnfillableError, match="needs masks"):
        ask("owlvit", f'{tag}<Label value="circle"/></BrushLabels>')


def test_labels_of_a_task_are_its_words(ask: Ask) -> None:
    """`value="$labels"`: each task is asked for its own."""
    tag = (
        '<RectangleLabels name="box" toName="image" value="$labels" model_score_threshold="0.001"/>'
    )
    data = {"image": data_url(), "labels": [{"value": "car"}]}
    assert labels_of(ask(WORLD, tag, data=data)) == {"car"}


def test_more_words_than_one_text_holds(ask: Ask) -> None:
    """Grounding DINO reads 256 tokens at once: 150 words make several texts."""
    labels = [f"w{number}" for number in range(150)]
    found = labels_of(ask("grounding-dino", boxes_tag(*labels, model_score_threshold=0.001)))
    assert found
    assert found <= set(labels)


def test_box_and_text_thresholds_of_the_official_example(model: Model) -> None:
    """BOX_THRESHOLD and TEXT_THRESHOLD are understood; the higher one counts."""
    folder = model("grounding-dino")
    environment = {
        "MODEL_DIR": str(folder.parent),
        "DETECTION_MODEL": folder.name,
        "BOX_THRESHOLD": "0.3",
        "TEXT_THRESHOLD": "0.4",
    }
    with changed_environment(environment):
        runtime.reset_runtime()
        plan = route_of(f'<View><Image name="image" value="$image"/>{boxes_tag("car")}</View>')
        [claim] = [claim for step in plan.steps for claim in step.claims]
    runtime.reset_runtime()
    assert claim.options["score_threshold"] == 0.4
    assert claim.options["words"] == ("car",)


@pytest.mark.parametrize(
    ("name", "is_open"),
    [
        ("yolov8s-worldv2.pt", True),
        ("yoloe-11s-seg.pt", True),
        ("IDEA-Research/grounding-dino-tiny", True),
        ("yolo11n.pt", False),
        ("starter", False),
        ("sub/weights.pt", False),
    ],
)
def test_names_of_models_that_are_not_here(name: str, is_open: bool, tmp_path: Any) -> None:
    """What a model is is told by its name until its files are here."""
    settings = Settings(model_dir=tmp_path)
    assert families.is_open_vocabulary(ModelSpec("detection", name), settings) is is_open


def test_a_renamed_file_is_still_a_word_network(model: Model) -> None:
    """It is told by the class that the file names, and never by its own name."""
    path = model(WORLD)
    renamed = path.with_name("mine.pt")
    renamed.write_bytes(path.read_bytes())
    settings = Settings(model_dir=path.parent)
    assert families.is_open_vocabulary(ModelSpec("detection", "mine.pt"), settings)


def test_a_label_config_names_folders_in_model_dir_alone(ask: Ask, model: Model) -> None:
    """`model_path` follows the rules that it has for files."""
    model("owlvit")
    tag = boxes_tag("circle", model_path="owlvit", model_score_threshold=0.001)
    assert ask(WORLD, tag)["result"]
    xml = boxes_tag("circle", model_path=str(model("owlvit")))
    config = LabelConfig.parse(f'<View><Image name="image" value="$image"/>{xml}</View>')
    assert any("model_path" in str(one) for one in route_of(config.xml).problems)


def test_another_kind_of_model_is_an_error(ask: Ask, model: Model) -> None:
    """A folder of a text encoder finds no boxes; the message lists what does."""
    model("clip")
    with pytest.raises(ModelError, match=r'type "clip_text_model".*grounding-dino'):
        ask("clip", boxes_tag("circle"))


def test_new_words_may_take_the_places_of_those_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_table, "MAX_WORDS", 2)
    stored = {word: np.full(1, number, np.float32) for number, word in enumerate("abc")}
    table = WordTable("net.pt", 1, stored)
    table.embed("ab")
    assert table.embed("abc")[1].ravel().tolist() == [0, 1, 2]
