"""Which words are asked for, and which label their objects get."""

import pytest

from backends.detection.open_vocabulary.prompts import MAX_WORD_CHARACTERS, label_words
from backends.detection.open_vocabulary.typed_words import TypedWord, typed_words
from shared.errors import TaskError
from shared.label_studio.label_config import LabelConfig

HEAD = '<View><Image name="image" value="$image"/><TextArea name="prompt" toName="image"/>'


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ('value="Traffic light"', ["Traffic light"]),
        ('value="Car" predicted_values="car, sedan ,"', ["car", "sedan"]),
        ('value="PED" hint="a person on foot"', ["PED", "a person on foot"]),
        ('value="🚗" alias="car"', ["car"]),
        ('value="Car" alias="c1"', ["Car"]),
        ('value="🚗"', []),
        ('value="猫"', ["猫"]),
        ('value="two\tspaces  "', ["two spaces"]),
        (f'value="{"a" * 10_000}"', ["a" * MAX_WORD_CHARACTERS]),
    ],
    ids=["value", "predicted", "hint", "emoji-alias", "alias", "emoji", "chinese", "space", "long"],
)
def test_words_of_a_label(label: str, words: list[str]) -> None:
    """Predicted values come first, then value and hint; the alias only where nothing has a word."""
    tag = f'<RectangleLabels name="box" toName="image"><Label {label}/></RectangleLabels>'
    control = LabelConfig.parse(f"{HEAD}{tag}</View>").find_control("box")
    assert control is not None
    assert list(label_words(control)) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cat, dog", [("cat", ""), ("dog", "")]),
        ("a cat. a dog.", [("a cat", ""), ("a dog", "")]),
        ("brown cat_cats", [("brown cat", "cats")]),
        ("_cats", [("_cats", "")]),
        ("cat, cat", [("cat", "")]),
        ("", []),
        (" .,🚗", []),
    ],
)
def test_typed_words(text: str, words: list[tuple[str, str]]) -> None:
    """Commas and full stops separate words, and an underscore the label, as in the examples."""
    assert _typed(text) == tuple(TypedWord(*word) for word in words)


def test_a_text_that_is_too_long_is_refused() -> None:
    """A text of 10,000 characters costs an error that says how many are allowed."""
    with pytest.raises(TaskError, match="10000 characters; 2000 are allowed"):
        _typed("a" * 10_000)


@pytest.mark.parametrize(
    "context",
    [
        {},
        {"result": None},
        {"result": ["text"]},
        {"result": [{"from_name": "box", "value": {"rectanglelabels": ["Car"]}}]},
        {"result": [{"from_name": "elsewhere", "value": {"text": ["cat"]}}]},
    ],
)
def test_nothing_was_typed(context: dict[str, object]) -> None:
    """What is no text of a TextArea on the image is left to other backends."""
    config = LabelConfig.parse(f"{HEAD}</View>")
    assert typed_words(context, config, config.objects["image"]) is None


def _typed(text: str) -> tuple[TypedWord, ...] | None:
    config = LabelConfig.parse(f"{HEAD}</View>")
    context = {"result": [{"from_name": "prompt", "to_name": "image", "value": {"text": [text]}}]}
    return typed_words(context, config, config.objects["image"])
