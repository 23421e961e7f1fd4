"""Everything that a task shows, as parts of a question."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backends.prompt.content.limits import ContentLimits
from backends.prompt.content.pages import read_pdf
from backends.prompt.content.pictures import read_pictures
from backends.prompt.content.reading import ObjectContent, Reading
from backends.prompt.content.recordings import read_frames, read_sound
from backends.prompt.content.records import read_chat, read_list
from backends.prompt.content.series import read_time_series
from backends.prompt.content.tables import read_table
from backends.prompt.content.texts import read_passages
from backends.prompt.question import ContentPart
from shared.backend import Control, LabelConfig, MediaReader, ObjectTag, Task, UnfillableError
from shared.errors import TaskError

# How each object tag is read.
READERS: Mapping[str, Callable[[Reading, ObjectTag], ObjectContent]] = {
    "Text": read_passages,
    "HyperText": read_passages,
    "Paragraphs": read_passages,
    "Chat": read_chat,
    "List": read_list,
    "Table": read_table,
    "Image": read_pictures,
    "Pdf": read_pdf,
    "Audio": read_sound,
    "AudioPlus": read_sound,
    "Video": read_frames,
    "TimeSeries": read_time_series,
}


@dataclass(frozen=True)
class Content:
    """What a task shows.

    - `parts`: what the model gets, in the order of the label config's object tags
    - `sources`: what regions lie on, by the object tag's name: `Passages` of Text, HyperText and
      Paragraphs; `SentPictures` of Image; either of Pdf; a tuple of item ids of
      List; a tuple of `ChatMessage` of Chat; the length in seconds of Audio, if known; the `Video`
      of Video; None of Table and TimeSeries
    - `omitted`: a sentence for what is left out: an object tag that could not be read and is not
      asked about, pages beyond the limits
    """

    parts: tuple[ContentPart, ...]
    sources: Mapping[str, Any] = field(default_factory=dict)
    omitted: tuple[str, ...] = ()


def read_content(
    task: Task,
    controls: Sequence[Control],
    config: LabelConfig,
    media: MediaReader,
    limits: ContentLimits,
) -> Content:
    """Read all object tags of a label config.

    TaskError if one that `controls` are on cannot be read; another one is left out, and named in
    `omitted`.
    """
    reading = Reading(task, controls, config, media, limits)
    needed = {name for control in controls for name in control.to_names}
    parts: list[ContentPart] = []
    sources: dict[str, Any] = {}
    omitted: list[str] = []
    for target in config.objects.values():
        try:
            read = read_object(reading, target)
        except TaskError as error:
            if target.name in needed:
                raise
            omitted.append(f"{target} is left out: {error}")
            continue
        parts += read.parts
        sources[target.name] = read.source
        omitted += read.omitted
    return Content(tuple(parts), sources, tuple(omitted))


def read_object(reading: Reading, target: ObjectTag) -> ObjectContent:
    """Read what one object tag shows; UnfillableError if no model can be asked about its kind."""
    reader = READERS.get(target.tag)
    if reader is None:
        raise UnfillableError(f"{target} shows what the prompt backend does not read")
    return reader(reading, target)
