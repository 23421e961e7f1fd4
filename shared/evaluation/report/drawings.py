"""The worst tasks of a version, drawn: what is true of them, and what was predicted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shared.backend.passages import Passages
from shared.errors import PrelabelError, escape_control
from shared.evaluation.evaluation import TaskResult
from shared.evaluation.report.marks import Mark, marks_by_object
from shared.evaluation.report.passages import Line, mark_dialogue, mark_passages, mark_text
from shared.evaluation.report.pictures import EmbeddedImages, Picture, draw_picture
from shared.evaluation.report.timelines import Timeline, draw_timeline
from shared.evaluation.report.values import ValueRow, compare_values
from shared.label_studio.label_config import ObjectTag
from shared.label_studio.task import Task
from shared.media.reader import MediaReader
from shared.results import Dialogue

# Images of one object tag that are drawn at most: a tag may show a list of them.
MAX_IMAGES = 4
# Regions that are listed under a drawing at most.
MAX_LISTED = 60
# Regions of an object tag that are drawn at most: the wrong ones come first.
MAX_DRAWN = 400


@dataclass(frozen=True)
class Drawing:
    """What an object tag shows, with the regions on it.

    One of `picture`, `lines` and `timeline` is there, or none; `reason` says what is missing.
    """

    name: str
    marks: Sequence[Mark]
    picture: Picture | None = None
    lines: Sequence[Line] = ()
    timeline: Timeline | None = None
    reason: str = ""

    @property
    def lanes(self) -> int:
        """How many lines are under the text at most."""
        lines = (
            u.lane + 1 for line in self.lines for piece in line.pieces for u in piece.underlines
        )
        return max(lines, default=0)

    @property
    def listed(self) -> Sequence[Mark]:
        """The marks that are named under the drawing: numbered ones, then those that are right."""
        right = [mark for mark in self.marks if mark.kind == "hit"]
        return [*(mark for mark in self.marks if mark.number is not None), *right][:MAX_LISTED]

    @property
    def unlisted(self) -> int:
        """How many more there are."""
        return sum(mark.kind != "truth" for mark in self.marks) - len(self.listed)


@dataclass(frozen=True)
class TaskDrawing:
    """A task with its drawings and values; `undrawn` counts regions that were too many."""

    name: str
    link: str | None
    score: float | None
    misses: int
    inventions: int
    drawings: Sequence[Drawing]
    values: Sequence[ValueRow] = ()
    undrawn: int = 0


class TaskDrawer:
    """Draws tasks; `task_url` is the address to which the task's id is added, if known."""

    def __init__(self, media: MediaReader, task_url: str | None = None) -> None:
        self.images = EmbeddedImages()
        self._media = media
        self._task_url = task_url

    def draw(self, result: TaskResult) -> TaskDrawing:
        """Draw what became of a task; what cannot be fetched is said in its place."""
        task = result.task
        link = link_task(self._task_url, task.id)
        by_object = marks_by_object(result)
        drawings = [
            drawing
            for name, marks in by_object.items()
            if (target := task.config.objects.get(name)) is not None
            for drawing in self._draw_object(result, target, marks[-MAX_DRAWN:])
        ]
        return TaskDrawing(
            task.name,
            link,
            result.score,
            result.misses,
            result.inventions,
            drawings,
            compare_values(result),
            sum(max(len(marks) - MAX_DRAWN, 0) for marks in by_object.values()),
        )

    def _draw_object(
        self, result: TaskResult, target: ObjectTag, marks: Sequence[Mark]
    ) -> Iterator[Drawing]:
        if target.tag == "Image":
            yield from self._draw_images(result, target, marks)
            return
        timeline = draw_timeline(marks)
        if timeline is not None:
            yield Drawing(target.name, marks, timeline=timeline)
            return
        try:
            yield Drawing(target.name, marks, lines=self._mark_lines(result, target, marks))
        except PrelabelError as error:
            yield Drawing(target.name, marks, reason=escape_control(str(error)))

    def _mark_lines(
        self, result: TaskResult, target: ObjectTag, marks: Sequence[Mark]
    ) -> Sequence[Line]:
        source: Any = (result.task.sources or {}).get(target.name)
        if isinstance(source, Dialogue):
            return mark_dialogue(source, marks)
        if target.tag not in ("Text", "HyperText"):
            return ()
        task = Task(result.task.id, result.task.data)
        text = task.read_text(target, self._media)
        if target.tag == "Text":
            return mark_text(text, marks)
        return mark_passages(Passages.from_html(text, target.is_inline).passages, marks)

    def _draw_images(
        self, result: TaskResult, target: ObjectTag, marks: Sequence[Mark]
    ) -> Iterator[Drawing]:
        """Draw each image of a tag that has regions, at first those with misses or inventions."""
        by_item: dict[int, list[Mark]] = {}
        for mark in marks:
            by_item.setdefault(_item_index(mark), []).append(mark)
        order = sorted(by_item, key=lambda at: all(mark.number is None for mark in by_item[at]))
        last = max(order[:MAX_IMAGES])
        for at in sorted(order[:MAX_IMAGES]):
            name = f"{target.name}, image {at + 1}" if target.is_list else target.name
            if at == last and len(order) > MAX_IMAGES:
                name += f" ({len(order) - MAX_IMAGES} more images with regions are not drawn)"
            yield self._draw_image(name, result, target, (at, by_item[at]))

    def _draw_image(
        self, name: str, result: TaskResult, target: ObjectTag, item: tuple[int, Sequence[Mark]]
    ) -> Drawing:
        at, marks = item
        task = Task(result.task.id, result.task.data)
        try:
            addresses = task.media_addresses(target)
            address = addresses[at][1] if at < len(addresses) else ""
            image = self._media.read_image(address, task.id)
        except PrelabelError as error:
            reason = f"The image cannot be shown: {escape_control(str(error))}"
            return Drawing(name, marks, picture=draw_picture(marks), reason=reason)
        picture = draw_picture(marks, image.size, self.images.add(image))
        return Drawing(name, marks, picture=picture)


def _item_index(mark: Mark) -> int:
    at = mark.region.region_keys.get("item_index")
    return at if isinstance(at, int) and at >= 0 else 0


def link_task(task_url: str | None, task_id: Any) -> str | None:
    """Return the address of a task; None if there is none, or if the id is not Label Studio's."""
    is_number = isinstance(task_id, int) or (isinstance(task_id, str) and task_id.isdecimal())
    return f"{task_url}{task_id}" if task_url and is_number else None
