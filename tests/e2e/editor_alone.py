"""Label Studio's editor without its pages around it: what it makes of a task of Label Studio.

A page of Label Studio takes seconds to load, the editor alone a moment. test_every_type.py shows
that each type of result is displayed the same way by both.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from typing_extensions import Self

from shared.editor.browser import EditorBrowser
from shared.label_studio.label_config import LabelConfig

from .label_studio import LabelStudio

Result = dict[str, Any]


class EditorAlone:
    """What the editor displays, as `Editor` says it, of what Label Studio's API gives out."""

    def __init__(
        self, label_studio: LabelStudio, open_browser: Callable[[], EditorBrowser]
    ) -> None:
        """The browser's settings have the address and token of Label Studio, for its media."""
        self._server = label_studio
        self._open_browser = open_browser
        self._stack = ExitStack()
        self._token = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def _renew(self) -> None:
        """Open another browser where a test has changed the token."""
        if self._token != self._server.token:
            self._stack.close()
            self._browser = self._stack.enter_context(self._open_browser())
            self._token = self._server.token

    def predictions(self, project_id: int, task_id: int) -> list[list[Result]]:
        """The results that the editor displays of each of the task's predictions, oldest first."""
        count = self._open(project_id, task_id)
        return [self._browser.select(index) for index in range(count)]

    def highlights(self) -> dict[str, str]:
        """The text under the highlight of each text region that was displayed last, by its id."""
        found: dict[str, str] = self._ask("highlights")
        return found

    def marked(self, project_id: int, task_id: int) -> list[dict[str, str]]:
        """`highlights` of each of the task's predictions, oldest first."""
        found = []
        for index in range(self._open(project_id, task_id)):
            self._browser.select(index)
            found.append(self.highlights())
        return found

    def labels(self) -> dict[str, list[str]]:
        """The name and colour of the label on each text region that was displayed last, by its id.

        The name is empty where the control tag does not have the label.
        """
        found: dict[str, list[str]] = self._ask("labels")
        return found

    def checked(self) -> list[str]:
        """The choices that are checked in what was displayed last."""
        found: list[str] = self._ask("checked")
        return found

    def boxes(self) -> dict[str, Any]:
        """The boxes displayed last, as `Editor.boxes` has them."""
        found: dict[str, Any] = self._ask("boxes")
        return found

    def config(self, project_id: int, task_id: int) -> tuple[str, list[str]]:
        """What the editor says of the label config in the task's place, empty if nothing; and the
        kinds of the first prediction's regions, each empty where none is drawn.
        """
        self._open(project_id, task_id)
        errors, regions = self._ask("config")
        return errors, regions

    def drawn(
        self, project_id: int, task_id: int, frames: Sequence[Sequence[int]]
    ) -> list[dict[int, float | None] | list[list[float]]]:
        """Where the first region of each of the task's predictions is drawn, oldest first.

        With `frames`: the left edge of a track's box on each, in percent of the video's width, None
        where it is not drawn; without: the frames that the bars of a TimelineLabels go over.
        """
        count = self._open(project_id, task_id)
        found: list[Any] = []
        for index, wanted in zip(range(count), frames, strict=True):
            self._browser.select(index)
            if wanted:
                by_frame = self._ask("track", list(wanted))
                found.append({int(frame): place for frame, place in by_frame.items()})
            else:
                found.append(self._ask("bars"))
        return found

    def _open(self, project_id: int, task_id: int) -> int:
        """Show the task; return how many predictions it has."""
        self._renew()
        config = str(self._server.request("GET", f"/api/projects/{project_id}/")["label_config"])
        task = self._server.task(task_id)
        predictions = self._server.predictions(task_id=task_id)
        shown = {"id": task_id, "data": task["data"], "predictions": predictions}
        return self._browser.show(LabelConfig.parse(config), shown)

    def _ask(self, what: str, *arguments: Any) -> Any:
        return self._browser.ask(f"(given) => prelabelDrawn.{what}(...given)", list(arguments))
