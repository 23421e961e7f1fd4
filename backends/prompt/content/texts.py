"""Texts: Text, HyperText and Paragraphs, as a reader sees them."""

from backends.prompt.content.reading import ObjectContent, Reading
from backends.prompt.question import TextPart
from shared.backend import ObjectTag, Passages
from shared.results import Dialogue


def read_passages(reading: Reading, target: ObjectTag) -> ObjectContent:
    """Read a text, an HTML document (a line for each block) or a dialogue (a line a paragraph).

    Its source is `Passages`, in which quotes are looked up.
    """
    passages = Passages.read(reading.task, target, reading.media)
    text = passages.text
    if isinstance(passages.source, Dialogue):
        text = describe_dialogue(passages.source)
    return ObjectContent((TextPart(target.name, text),), passages)


def describe_dialogue(dialogue: Dialogue) -> str:
    """Return a dialogue as text: each paragraph after its speaker's name, if it has one."""
    return "\n".join(
        f"{name}: {text}" if name else text
        for name, text in zip(dialogue.names, dialogue.texts, strict=True)
    )
