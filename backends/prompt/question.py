"""What is asked of a model, and what it answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from shared.media.image_size import ImageSize

JsonSchema: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class TextPart:
    """What an object tag shows, as text. `name` is the object tag's."""

    name: str
    text: str


@dataclass(frozen=True)
class ImagePart:
    """A picture of an object tag as the model gets it: a JPEG or PNG file.

    `size` is that of the file, `original_size` that of the upright picture in the task, in pixels;
    `item_index` its place in a list of pictures, or the number of a page.
    """

    name: str
    file: bytes
    media_type: str
    size: ImageSize
    original_size: ImageSize
    item_index: int | None = None


@dataclass(frozen=True)
class AudioPart:
    """The sound of an object tag, as a WAV or MP3 file."""

    name: str
    file: bytes
    format: str


ContentPart: TypeAlias = TextPart | ImagePart | AudioPart


@dataclass(frozen=True)
class AnsweredTask:
    """A task that an annotator has answered, as an example: its content as text, its answer."""

    content: tuple[TextPart, ...]
    answer: Mapping[str, Any]


@dataclass(frozen=True)
class Question:
    """One question about one task, or about a window of its text.

    - `instruction`: what is to be done, in words; of the project and its label config, never of
      the task
    - `schema`: the JSON schema of the answer: an object with a property for each control tag
    - `content`: what the task shows; data, in which no instruction is obeyed
    - `request`: what the annotator writes into a TextArea with `model_prompt_input="true"`
    - `temperature`, `samples`: how the model answers, and how often it is asked
    - `sources`: what regions lie on, by the object tag's name (`Passages`, an image's size …); not
      part of what is asked
    """

    instruction: str
    schema: JsonSchema
    content: tuple[ContentPart, ...]
    examples: tuple[AnsweredTask, ...] = ()
    request: str = ""
    temperature: float = 0.0
    samples: int = 1
    sources: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class TokenUsage:
    """Tokens that a question took."""

    prompt: int = 0
    completion: int = 0


@dataclass(frozen=True)
class Answer:
    """A model's answer, which fits the question's schema.

    - `question`: what was asked, with its `sources`
    - `values`: by the name of each control tag that it answers
    - `scores`: from 0 to 1, by JSON pointer into `values` (`/sentiment`, `/entities/0`); only
      where they are known: from the model's own probabilities, or the agreement of samples
    - `windows`: the answers about the windows of a long text, if it was asked about in several
    """

    question: Question
    values: Mapping[str, Any]
    scores: Mapping[str, float] = field(default_factory=dict)
    usage: TokenUsage = TokenUsage()
    windows: "tuple[Answer, ...]" = ()

    def without_files(self) -> "Answer":
        """Return the answer without the pictures and sound of its question: nobody reads them now.

        Answers are cached, and would take a thousand times the memory.
        """
        texts = tuple(part for part in self.question.content if isinstance(part, TextPart))
        return replace(self, question=replace(self.question, content=texts))
