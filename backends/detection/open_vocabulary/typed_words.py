"""What an annotator types into a TextArea: words to find on the picture, and their labels."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from backends.detection.open_vocabulary.prompts import readable_words
from shared.backend.claim import Claim
from shared.backend.label_map import LabelMap
from shared.errors import TaskError
from shared.label_studio.label_config import LabelConfig, ObjectTag

# Longer ones are refused: nobody types them, and no text encoder reads them.
MAX_CHARACTERS = 2000
# What stands between words, as in the official examples: "a cat. a dog." or "cat, dog".
_SEPARATORS = re.compile(r"[,.;\n]")
# Separates a word from the label that its boxes get, as in the official examples: "brown cat_cats".
LABEL_SEPARATOR = "_"


class TypedWord(NamedTuple):
    """A word to find, and the name of the label that was typed behind it, or ""."""

    word: str
    label: str


def typed_words(
    context: Mapping[str, Any], config: LabelConfig, target: ObjectTag
) -> tuple[TypedWord, ...] | None:
    """Return what was typed about an object tag; None if the context has no text.

    The last text counts. An empty one gives no word.

    Raises:
        TaskError: it is too long.
    """
    texts = _typed_texts(context, config, target)
    if not texts:
        return None
    if len(texts[-1]) > MAX_CHARACTERS:
        raise TaskError(
            f"The prompt has {len(texts[-1])} characters; {MAX_CHARACTERS} are allowed: name what"
            " is to be found in a few words, with commas between them"
        )
    words = readable_words(_SEPARATORS.split(texts[-1]))
    return tuple(dict.fromkeys(map(_parse_word, words)))


def has_typed_words(context: Mapping[str, Any], config: LabelConfig, target: ObjectTag) -> bool:
    """Return whether the context has a text about an object tag, even an empty one."""
    return bool(_typed_texts(context, config, target))


def _typed_texts(context: Mapping[str, Any], config: LabelConfig, target: ObjectTag) -> list[str]:
    names = {
        control.name
        for control in config.controls_on(target.name)
        if control.tag == "TextArea" and not control.per_region
    }
    return [text for one in _results(context) if (text := _text_of(one, names)) is not None]


def _results(context: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    results = context.get("result")
    return [one for one in results if isinstance(one, dict)] if isinstance(results, list) else []


def _text_of(result: Mapping[str, Any], names: set[str]) -> str | None:
    value = result.get("value")
    text = value.get("text") if isinstance(value, dict) else None
    if result.get("from_name") not in names:
        return None
    lines = text if isinstance(text, list) else [text]
    return "\n".join(line for line in lines if isinstance(line, str))


def _parse_word(text: str) -> TypedWord:
    word, _, label = text.rpartition(LABEL_SEPARATOR)
    return TypedWord(word.strip(), label.strip()) if word.strip() else TypedWord(text, "")


def label_typed_words(typed: tuple[TypedWord, ...], claim: Claim) -> dict[str, str]:
    """Return the label of each word: the one typed behind it, its own, or else the first one.

    Empty for a control tag without labels.
    """
    control = claim.controls[-1]
    first = next(iter(control.labels), None)
    if first is None:
        return {}
    names = [name for one in typed for name in (one.label, one.word) if name]
    known = LabelMap.build(control, names, claim.options.get("word_labels", {})).to_label
    return {one.word: known.get(one.label) or known.get(one.word) or first for one in typed}
