"""Label Studio's editor in a headless Chromium, without Label Studio: one page, many tasks."""

import os
import re
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from typing_extensions import Self

from shared.backend.extras import require
from shared.editor.assets import require_assets
from shared.editor.local_server import LocalServer
from shared.editor.task_media import localize_media
from shared.errors import SettingError, TaskError, truncate
from shared.label_studio.label_config import LabelConfig
from shared.media.reader import MediaReader
from shared.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Page, Playwright

T = TypeVar("T")
Result = dict[str, Any]
Side = Literal["predictions", "annotations"]

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)
VIEWPORT = (1400, 900)
# So long nothing may change before the editor counts as ready.
QUIET_MS = 60
START_TIMEOUT_MS = 60_000
MAX_MESSAGE_CHARACTERS = 300
SCRIPT = Path(__file__).with_name("drawn.js")
# Starts the editor with a task and waits until it shows one of its predictions or annotations.
SHOW = "([config, task]) => prelabelEditor.show(config, task)"
SHOWN = "(wanted) => prelabelDrawn.shown(wanted)"


class EditorBrowser:
    """A context manager: the editor in a browser of its own, in which task after task is shown.

    Playwright keeps an event loop running in its thread, so it has a thread of its own.
    """

    def __init__(
        self, settings: Settings, *, timeout: float = 20.0, viewport: tuple[int, int] = VIEWPORT
    ) -> None:
        """`timeout`: seconds that a task may take; `viewport`: width and height in pixels.

        SettingError if the editor's files, playwright or a browser are not installed.
        """
        self._server = LocalServer(require_assets(settings))
        self._reader = MediaReader(settings)
        self._timeout_ms = timeout * 1000
        self._viewport = viewport
        self._playwright = require("playwright.sync_api", "editor")
        self._thread = ThreadPoolExecutor(1, "editor browser")
        self._stack = ExitStack()
        self._number = 0
        self._shown: tuple[int, Side] = (0, "predictions")

    def __enter__(self) -> Self:
        self._stack.callback(self._reader.close)
        self._stack.enter_context(self._server)
        try:
            self._do(self._launch)
        except BaseException:
            self.__exit__(None, None, None)
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

    def show(self, config: LabelConfig, task: Any, side: Side = "predictions") -> int:
        """Start the editor with a task; return how many predictions (or annotations) it has.

        TaskError says why it cannot be shown: a medium that cannot be read, for instance.
        """
        self._server.clear()
        local = localize_media(task, config, self._reader, self._server.publish)
        self._number += 1
        task = {"id": self._number, "data": local["data"], **_numbered(local, side)}
        self._shown = (len(task[side]), side)
        self._do(lambda: self._page.evaluate(SHOW, [config.xml, task]))
        self._select(None)
        return len(task[side])

    def select(self, index: int) -> list[Result]:
        """Show the prediction (or annotation) of that index; return what the editor makes of it."""
        return self._select(str(index + 1))

    def ask(self, script: str, argument: Any = None) -> Any:
        """Return what a JavaScript function says in the page."""
        try:
            return self._do(lambda: self._page.evaluate(script, argument))
        except self._playwright.Error as error:
            raise TaskError(f"The editor failed: {_first_line(error)}") from None

    def screenshot(self, path: Path) -> None:
        """Write a picture of what is shown, as PNG."""
        self._do(lambda: self._page.screenshot(path=path))

    # In the browser's thread

    def _do(self, work: Callable[[], T]) -> T:
        return self._thread.submit(work).result()

    def _launch(self) -> None:
        playwright = self._stack.enter_context(self._playwright.sync_playwright())
        flags = [*FLAGS, *(("--no-sandbox",) if _is_root() else ())]
        launched = playwright.chromium.launch(executable_path=_find_browser(playwright), args=flags)
        self._stack.callback(launched.close)
        width, height = self._viewport
        context = launched.new_context(viewport={"width": width, "height": height})
        context.set_default_timeout(self._timeout_ms)
        context.add_init_script(path=SCRIPT)
        ours = re.escape(self._server.origin) + "/"
        context.route(re.compile(rf"^(?!{ours}|data:|blob:)"), lambda route: route.abort())
        self._page: Page = context.new_page()
        self._page.goto(self._server.page_url)
        self._page.evaluate("() => prelabelEditor.editor.then(() => true)")

    def _select(self, pk: str | None) -> list[Result]:
        count, side = self._shown
        pks = [str(number + 1) for number in range(count)]
        wanted = {
            "task": str(self._number),
            "pks": pks,
            "pk": pk,
            "quiet": QUIET_MS,
            "side": side,
            "frames": True,
        }
        try:
            answer = self._do(
                lambda: self._page.wait_for_function(SHOWN, arg=wanted, polling=20).json_value()
            )
        except self._playwright.Error as error:
            raise TaskError(self._describe_failure(error)) from None
        if not isinstance(answer, list):
            raise TaskError(f"The editor cannot show the task: {answer}")
        return answer

    def _describe_failure(self, error: Exception) -> str:
        said = self._do(lambda: self._page.evaluate("() => prelabelDrawn.complaint()"))
        found: Sequence[str] = [said] if said else []
        if not found:
            found = self._do(lambda: self._page.evaluate("() => prelabelEditor.errors()"))
        what = truncate("; ".join(found) or _first_line(error), MAX_MESSAGE_CHARACTERS)
        return f"The editor does not show the task: {what}"


def _numbered(task: dict[str, Any], side: Side) -> dict[str, list[Any]]:
    """Return the predictions and annotations with ids, by which the editor finds them again."""
    found: dict[str, list[Any]] = {"predictions": [], "annotations": []}
    entries = task.get(side)
    for number, entry in enumerate(entries if isinstance(entries, list) else []):
        result = entry.get("result") if isinstance(entry, dict) else None
        known = {"id": number + 1, "result": result if isinstance(result, list) else []}
        more = {
            k: entry[k]
            for k in ("model_version", "score")
            if isinstance(entry, dict) and k in entry
        }
        found[side].append(known | more)
    return found


def _find_browser(playwright: "Playwright") -> str:
    """Return the path of an installed Chromium or Chrome; SettingError if there is none."""
    installed = next(filter(None, map(shutil.which, BROWSERS)), None)
    bundled = playwright.chromium.executable_path
    if installed is None and not Path(bundled).exists():
        raise SettingError("No Chromium is installed: `playwright install chromium` installs one")
    return installed or bundled


def _is_root() -> bool:
    """Return whether the process is root's, in which Chromium has no sandbox."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
