"""What a text tag shows, as texts that a model reads, and the way back to its characters."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import orjson

from shared.errors import DecodeError, ValueTypeError
from shared.label_studio.label_config import ObjectTag
from shared.label_studio.task import Task
from shared.media.reader import MediaReader
from shared.results import Dialogue, Document, HyperTextSpan, ParagraphSpan, TextSpan
from shared.results.hypertext import Node
from shared.results.types import Shape

TEXT_TAGS = ("Text", "HyperText", "Paragraphs")

# Elements of HTML in which a sentence goes on; every other one begins a passage of its own.
INLINE = frozenset({
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "br", "cite", "code", "data", "del",
    "dfn", "em", "font", "i", "ins", "kbd", "label", "mark", "q", "rp", "rt", "ruby", "s",
    "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
})  # fmt: skip
# Elements whose text nobody sees.
UNREAD = frozenset({"script", "style", "title", "noscript", "template"})


class Passage(NamedTuple):
    """A text with its place: its paragraph in a dialogue, and its first character there or in all.

    `start` is the place of its first code point in the document, or in its paragraph.
    """

    text: str
    start: int = 0
    paragraph: int = 0


@dataclass(frozen=True)
class Passages:
    """The passages of one object tag. `source` is what `shared.results.region` needs."""

    source: Any
    passages: tuple[Passage, ...]

    @classmethod
    def read(cls, task: Task, target: ObjectTag, media: MediaReader) -> "Passages":
        """Read the passages of a Text, HyperText or Paragraphs tag, from the task or from a URL."""
        if target.tag == "Paragraphs":
            return cls.from_dialogue(read_dialogue(task, target, media))
        text = task.read_text(target, media)
        if target.tag != "HyperText":
            return cls.from_text(text)
        return cls.from_html(text, inline=target.is_inline)

    @classmethod
    def from_text(cls, text: str) -> "Passages":
        """Make one passage of a plain text."""
        return cls(text, (Passage(text),))

    @classmethod
    def from_html(cls, html: str, inline: bool = False) -> "Passages":
        """Split HTML at its block elements, or "<h1>Bob</h1><p>One" would be read as "BobOne"."""
        return cls.from_document(Document.parse(html, inline))

    @classmethod
    def from_document(cls, document: Document) -> "Passages":
        """Make one passage of the text of each block element."""
        return cls(document, tuple(_block_passages(document)))

    @classmethod
    def from_dialogue(cls, dialogue: Dialogue) -> "Passages":
        """Make one passage of each paragraph: no entity spans two utterances."""
        texts = enumerate(dialogue.texts)
        return cls(dialogue, tuple(Passage(text, paragraph=index) for index, text in texts))

    @property
    def text(self) -> str:
        """The whole text, one line for each passage."""
        return "\n".join(passage.text for passage in self.passages)

    def to_shape(self, passage: Passage, start: int, end: int) -> Shape:
        """Return code points `start` to `end` (exclusive) of a passage as a shape for `region`."""
        if isinstance(self.source, Dialogue):
            return ParagraphSpan(passage.paragraph, passage.start + start, passage.start + end)
        kind = HyperTextSpan if isinstance(self.source, Document) else TextSpan
        return kind(passage.start + start, passage.start + end)


def _block_passages(document: Document) -> Iterator[Passage]:
    """Yield passages: consecutive text nodes of one block are one passage."""
    known: dict[Node | None, EnclosingBlock] = {None: EnclosingBlock(None, True)}
    for (_, read), nodes in groupby(
        document.nodes, key=lambda node: _enclosing_block(node.parent, known)
    ):
        group = list(nodes)
        start, end = group[0].start, group[-1].end
        if read and document.text[start:end].strip():
            yield Passage(document.text[start:end], start)


class EnclosingBlock(NamedTuple):
    """The innermost block element around a text node, and whether its text is read."""

    element: Node | None
    read: bool


def _enclosing_block(
    element: Node | None, known: dict[Node | None, EnclosingBlock]
) -> EnclosingBlock:
    """Return the block around an element's text; `known` are those of elements seen before."""
    above: list[Node] = []
    while element is not None and element not in known:
        above.append(element)
        element = element.parent
    block = known[element]
    for inner in reversed(above):
        read = block.read and inner.name not in UNREAD
        block = EnclosingBlock(block.element if inner.name in INLINE else inner, read)
        known[inner] = block
    return block


def read_dialogue(task: Task, target: ObjectTag, media: MediaReader) -> Dialogue:
    """Return what a Paragraphs tag shows; TaskError if its value is not a list of paragraphs."""
    value = task.object_value(target)
    if target.value_is_url:
        try:
            value = orjson.loads(task.read_text(target, media))
        except orjson.JSONDecodeError:
            raise DecodeError(f"What {target} shows by {target.shown_value} is not JSON") from None
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise ValueTypeError(f"{target.shown_value} should be a list of objects for {target}")
    key = target.attrs.get("textKey", "text")
    for index, entry in enumerate(value):
        if not isinstance(entry.get(key) or "", str):
            raise ValueTypeError(f'"{key}" of paragraph {index} should be a string for {target}')
    return Dialogue.from_paragraphs(target, value)
