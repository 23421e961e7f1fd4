"""The words that a model is asked to find, and the label of each."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from backends.detection.tags.tag_options import base_tag
from shared.backend.claim import Claim, ModelSpec
from shared.backend.label_names import label_attributes
from shared.label_studio.label_config import Control

# Characters of a prompt that are read: text encoders read 77 tokens or fewer.
MAX_WORD_CHARACTERS = 300
# A letter or a digit of any script: without one there is no word, as in an emoji.
_WORD = re.compile(r"[^\W_]")
_SPACE = re.compile(r"\s+")

Words = tuple[str, ...]


def with_words(claims: Sequence[Claim], is_open: Mapping[ModelSpec, bool]) -> list[Claim]:
    """Return the claims; those of open-vocabulary models with the words to ask for, in `words`.

    Claims of one model on one object tag get the words of all of them: they share one run of it.
    What has examples is not asked for by words.
    `word_labels` are other names of words, as `Claim.labels_for` takes them.
    """
    words: dict[tuple[str, ModelSpec], dict[str, None]] = {}
    for claim in claims:
        if is_open[claim.spec]:
            known = words.setdefault((claim.object.name, claim.spec), {})
            if "examples" not in claim.options:
                known.update(dict.fromkeys(label_words(claim.controls[-1])))
    return [_with_options(claim, words.get((claim.object.name, claim.spec))) for claim in claims]


def _with_options(claim: Claim, words: Mapping[str, None] | None) -> Claim:
    if words is None:
        return claim
    options = {"words": tuple(words), "word_labels": hint_labels(claim.controls[-1])}
    return replace(claim, options={**claim.options, **options})


def label_words(control: Control) -> Iterable[str]:
    """Yield what each label of a control tag is called, in the order of the labels.

    They are its `predicted_values`; without these its value, and its hint. Where neither has a
    letter or a digit, it is the alias. A control tag without labels has none.
    """
    if control.tag == base_tag(control) and control.tag not in {"Choices", "Taxonomy", "Labels"}:
        return
    for label, attributes in label_attributes(control).items():
        values = attributes.get("predicted_values", "").split(",")
        found = readable_words(values) or readable_words(
            (attributes.get("value") or label, attributes.get("hint", ""))
        )
        yield from found or readable_words((label,))


def hint_labels(control: Control) -> dict[str, tuple[str, ...]]:
    """Return the label of each hint, which is no name of the label by itself."""
    found: dict[str, tuple[str, ...]] = {}
    for label, attributes in label_attributes(control).items():
        for hint in readable_words((attributes.get("hint", ""),)):
            found.setdefault(hint, (label,))
    return found


def readable_words(texts: Iterable[str]) -> list[str]:
    """Return the texts that have a letter or a digit, trimmed, each of a limited length."""
    trimmed = (_SPACE.sub(" ", text).strip()[:MAX_WORD_CHARACTERS].strip() for text in texts)
    return [text for text in trimmed if _WORD.search(text)]
