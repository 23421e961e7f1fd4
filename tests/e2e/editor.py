"""Label Studio's editor in headless Chromium: what it makes of a task's predictions."""

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from playwright.sync_api import ConsoleMessage, Page, sync_playwright
from typing_extensions import Self

import shared.editor as editor_package

from .label_studio import LabelStudio

T = TypeVar("T")
Result = dict[str, Any]

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",  # as root there is no other way
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
)
VIEWPORT = {"width": 1400, "height": 900}
QUIET_MS = 300
"""So long nothing may change before the editor counts as ready: it builds its store twice."""

LOOK_MS = 50
"""Between two looks, each of which serialises all that is shown."""

SCRIPT = Path(editor_package.__file__).with_name("drawn.js")
SHOWN = "(wanted) => window.prelabelDrawn?.shown(wanted)"

BEGUN = """() => {
  const { selected } = window.Htx.annotationStore;
  const images = selected?.objects.filter(({ type }) => type === "image") ?? [];
  const ready = images.every(({ currentImageEntity }) => currentImageEntity?.imageLoaded);
  return selected?.type === "annotation" && ready ? selected.id : null;
}"""
"""The id of the annotation that is selected, once its images are loaded."""


class EditorError(RuntimeError):
    """The editor could not show the task."""


def browser() -> str | None:
    """The path of an installed Chromium or Chrome."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


class Editor:
    """A context manager: a browser logged in to a Label Studio, and what its editor displays.

    Playwright keeps an event loop running in its thread, where no test could then call
    asyncio.run: so it has a thread of its own.
    """

    def __init__(self, label_studio: LabelStudio, *, timeout: float = 90.0) -> None:
        """`timeout`: seconds that a task may take to be displayed."""
        self._server = label_studio
        self._timeout = timeout * 1000
        self._thread = ThreadPoolExecutor(1, "editor")
        self._stack = ExitStack()
        self.errors: list[str] = []
        """Errors of the page and its console since the last task was opened."""

    def __enter__(self) -> Self:
        try:
            self._do(self._launch)
        except BaseException:
            self._do(self._stack.close)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._do(self._stack.close)
        self._thread.shutdown()

    def predictions(self, project_id: int, task_id: int) -> list[list[Result]]:
        """The results that the editor displays of each of the task's predictions, oldest first.

        They are serializeAnnotation()'s, without labels that the control tag does not offer and
        with the control tag's own type, since the editor serialises both unchecked.
        """
        return self._do(lambda: self._predictions(project_id, task_id))

    def highlights(self) -> dict[str, str]:
        """The text under the highlight of each text region that was displayed last, by its id."""
        found: dict[str, str] = self._do(
            lambda: self._page.evaluate("() => window.prelabelDrawn.highlights()")
        )
        return found

    def marked(self, project_id: int, task_id: int) -> list[dict[str, str]]:
        """`highlights` of each of the task's predictions, oldest first."""
        return self._do(lambda: self._marked(project_id, task_id))

    def labels(self) -> dict[str, list[str]]:
        """The name and colour of the label on each text region that was displayed last, by its id.

        The name is empty where the control tag does not have the label.
        """
        found: dict[str, list[str]] = self._do(
            lambda: self._page.evaluate("() => window.prelabelDrawn.labels()")
        )
        return found

    def checked(self) -> list[str]:
        """The choices that are checked in what was displayed last."""
        found: list[str] = self._do(
            lambda: self._page.evaluate("() => window.prelabelDrawn.checked()")
        )
        return found

    def config(self, project_id: int, task_id: int) -> tuple[str, list[str]]:
        """What the editor says of the label config in the task's place, empty if nothing; and the
        kinds of the first prediction's regions, each empty where none is drawn.
        """
        return self._do(lambda: self._config(project_id, task_id))

    def drawn(
        self, project_id: int, task_id: int, frames: Sequence[Sequence[int]]
    ) -> list[dict[int, float | None] | list[list[float]]]:
        """Where the first region of each of the task's predictions is drawn, oldest first.

        With `frames`: the left edge of a track's box on each, in percent of the video's width, None
        where it is not drawn; without: the frames that the bars of a TimelineLabels go over.
        """
        return self._do(lambda: self._drawn(project_id, task_id, frames))

    def boxes(self) -> dict[str, Any]:
        """The boxes displayed last, in pixels of the image as the browser turns it.

        `width`, `height`, and of each of `regions` its `id`, its `box` (left, top, right, bottom)
        and the `colour` (RGB) that the browser shows in the middle of it.
        """
        found: dict[str, Any] = self._do(
            lambda: self._page.evaluate("() => window.prelabelDrawn.boxes()")
        )
        return found

    def annotate(self, project_id: int, task_id: int, script: str = "") -> None:
        """Submit the annotation that the editor begins for a user, after what a script does to it.

        The script is JavaScript, in which `annotation` is the annotation.
        """
        self._do(lambda: self._annotate(project_id, task_id, script))

    def screenshot(self, project_id: int, task_id: int, path: Path, prediction: int = 0) -> None:
        """A picture of the editor with one prediction selected, as PNG."""
        self._do(lambda: self._screenshot(project_id, task_id, path, prediction))

    def use_page(self, work: Callable[[Page], T]) -> T:
        """Return what `work` returns: it gets the browser's page, in the thread of the browser."""
        return self._do(lambda: work(self._page))

    def leave(self) -> None:
        """Show nothing: an open page of Label Studio is never quite idle."""
        self._do(lambda: self._page.goto("about:blank"))

    # In the browser's thread

    def _do(self, work: Callable[[], T]) -> T:
        return self._thread.submit(work).result()

    def _launch(self) -> None:
        playwright = self._stack.enter_context(sync_playwright())
        launched = playwright.chromium.launch(executable_path=browser(), args=list(FLAGS))
        self._stack.callback(launched.close)
        context = launched.new_context(viewport=VIEWPORT)
        context.add_cookies(
            [
                {"name": name, "value": value, "url": self._server.url}
                for name, value in self._server.cookies.items()
            ]
        )
        context.set_default_timeout(self._timeout)
        context.add_init_script(path=SCRIPT)
        self._page: Page = context.new_page()
        self._page.on("console", self._on_console)
        self._page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _predictions(self, project_id: int, task_id: int) -> list[list[Result]]:
        pks = self._open(project_id, task_id)
        return [self._shown(task_id, pks, pk) for pk in pks]

    def _marked(self, project_id: int, task_id: int) -> list[dict[str, str]]:
        pks = self._open(project_id, task_id)
        found = []
        for pk in pks:
            self._shown(task_id, pks, pk)
            found.append(self._page.evaluate("() => window.prelabelDrawn.highlights()"))
        return found

    def _config(self, project_id: int, task_id: int) -> tuple[str, list[str]]:
        self._open(project_id, task_id)
        errors, regions = self._page.evaluate("() => window.prelabelDrawn.config()")
        return errors, regions

    def _drawn(self, project_id: int, task_id: int, frames: Sequence[Sequence[int]]) -> list[Any]:
        pks = self._open(project_id, task_id)
        found: list[Any] = []
        for pk, wanted in zip(pks, frames, strict=True):
            self._shown(task_id, pks, pk)
            if wanted:
                script = "(f) => window.prelabelDrawn.track(f)"
                by_frame = self._page.evaluate(script, list(wanted))
                found.append({int(frame): place for frame, place in by_frame.items()})
            else:
                found.append(self._page.evaluate("() => window.prelabelDrawn.bars()"))
        return found

    def _annotate(self, project_id: int, task_id: int, script: str) -> None:
        self._open(project_id, task_id)
        self._wait_for_annotation()
        self._page.evaluate(
            f"() => {{ const annotation = Htx.annotationStore.selected; {script} }}"
        )
        path = f"/api/tasks/{task_id}/annotations"
        with self._page.expect_response(lambda answer: path in answer.url) as answered:
            self._page.evaluate("() => window.Htx.submitAnnotation()")
        if not answered.value.ok:
            raise EditorError(f"Task {task_id} is not submitted: {answered.value.text()}")

    def _wait_for_annotation(self) -> None:
        """Wait until the annotation that the editor begins for a user stays selected."""
        last = ""
        while True:
            begun = self._page.wait_for_function(BEGUN).json_value()
            if begun == last:
                return
            last = begun
            self._page.wait_for_timeout(3 * QUIET_MS)

    def _screenshot(self, project_id: int, task_id: int, path: Path, prediction: int) -> None:
        pks = self._open(project_id, task_id)
        self._shown(task_id, pks, pks[prediction] if pks else None)
        self._page.screenshot(path=path)

    def _open(self, project_id: int, task_id: int) -> list[str]:
        pks = [str(found["id"]) for found in self._server.predictions(task_id=task_id)]
        self.errors.clear()
        url = f"{self._server.url}/projects/{project_id}/data?task={task_id}"
        self._page.goto(url, wait_until="commit")
        self._shown(task_id, pks, None)
        return pks

    def _shown(self, task_id: int, pks: list[str], pk: str | None) -> list[Result]:
        wanted = {"task": str(task_id), "pks": pks, "pk": pk, "quiet": QUIET_MS}
        try:
            found = self._page.wait_for_function(SHOWN, arg=wanted, polling=LOOK_MS)
            answer = found.json_value()
        except Exception as error:
            errors = "\n".join(self.errors)
            raise EditorError(f"Task {task_id}, prediction {pk}: {error}\n{errors}") from error
        if not isinstance(answer, list):
            raise EditorError(f"Task {task_id}, prediction {pk}: {answer}")
        return answer
