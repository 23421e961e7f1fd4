"""The table of pages, and how each request for one is answered."""

import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from shared.doctor.check import Check
from shared.editor.assets import EditorAssets, find_assets, read_assets
from shared.editor.page import page_headers, render_page
from shared.errors import PrelabelError, SettingError
from shared.server.http_messages import BodyReader
from shared.server.pages import form_check, gallery
from shared.server.pages.doctor import DoctorRuns, describe_checks
from shared.server.pages.overview import describe_overview
from shared.server.pages.playground import Predict, Trial, parse_form, run_trial
from shared.server.pages.projects import describe_projects
from shared.server.pages.responses import FOLDER, HEADERS, html_response, render_template
from shared.server.pages.training import NO_TRAININGS, change_trainings, describe_trainings
from shared.server.service import PredictionService
from shared.settings import Settings

# A page that many browsers have open is made once for all of them in this time.
KEEP_SECONDS = 1.0
EDITOR_FILES = "editor/files/"
# The editor's files change with its release only. Its frame has no origin, so they are for any.
FILE_HEADERS = {"Cache-Control": "max-age=3600", "Access-Control-Allow-Origin": "*"}
STATIC_TYPES = {"style.css": "text/css", "script.js": "text/javascript"}


class PageEntry(NamedTuple):
    """A page: its path below /pages/, its name in the navigation, and what answers it."""

    path: str
    title: str
    handler: Callable[["Site", Request], Awaitable[Response]]


class Site:
    """Answers requests for pages, in the process that serves.

    `predict` predicts as the endpoint of that name does; `bodies` reads forms within its limits.
    """

    def __init__(
        self, service: PredictionService, settings: Settings, bodies: BodyReader, predict: Predict
    ) -> None:
        self._service = service
        self._settings = settings
        self._bodies = bodies
        self._predict = predict
        self._kept: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()
        self._doctor = DoctorRuns(settings)

    async def answer(self, request: Request) -> Response:
        """Answer a request for /, or for a path below /pages/."""
        path: str = request.path_params.get("path", "")
        page = next((page for page in PAGES if page.path == path), None)
        try:
            if page is not None:
                return await page.handler(self, request)
            if request.method != "GET":
                raise HTTPException(405, "Nothing can be sent here")
            return await self._answer_file(path, request)
        except HTTPException as error:
            return self._refuse(request, error.status_code, str(error.detail))
        except PrelabelError as error:
            return self._refuse(request, error.status, str(error))

    # Pages

    async def overview(self, request: Request) -> Response:
        """Show backends, models, and what went wrong."""
        return await self._show_kept(request, "overview", describe_overview)

    async def projects(self, request: Request) -> Response:
        """Show how each label config is filled."""
        return await self._show_kept(request, "projects", describe_projects)

    async def playground(self, request: Request) -> Response:
        """Show a label config and data to try; a form that is sent is predicted."""
        token = form_check.token_of(request)
        if request.method == "POST":
            fields, trial = await self._try_form(request)
        else:
            fields, trial = {}, None
        html = await anyio.to_thread.run_sync(
            self._render_playground, request, fields, trial, token
        )
        response = html_response(html, 200 if trial is None or not trial.message else 422)
        form_check.keep_token(response, token)
        return response

    async def training(self, request: Request) -> Response:
        """Show jobs and trained versions; a form that is sent changes them."""
        token, message = form_check.token_of(request), ""
        if request.method == "POST":
            try:
                await self._change_trainings(request)
                # So that a page that is loaded again sends nothing again.
                return RedirectResponse("training", 303, headers=HEADERS)
            except PrelabelError as error:
                message = str(error)
        html = await anyio.to_thread.run_sync(self._render_training, request, token, message)
        response = html_response(html, 409 if message else 200)
        form_check.keep_token(response, token)
        return response

    async def doctor(self, request: Request) -> Response:
        """Show the steps that can be checked; a form that is sent checks them."""
        token, message = form_check.token_of(request), ""
        fields: dict[str, str] = {}
        checks: list[Check] = []
        if request.method == "POST":
            fields = await self._read_form(request)
            try:
                server = request.scope.get("server") or ("", None)
                run = partial(self._doctor.run, server, fields.get("project", ""))
                checks = await anyio.to_thread.run_sync(run)
            except PrelabelError as error:
                message = str(error)
        values = {**describe_checks(checks, fields), "token": token, "message": message}
        response = html_response(self._render(request, "doctor", values), 422 if message else 200)
        form_check.keep_token(response, token)
        return response

    async def _read_form(self, request: Request) -> dict[str, str]:
        """Return the fields of a form that one of our pages has sent."""
        form_check.check_origin(request)
        fields = await anyio.to_thread.run_sync(parse_form, await self._bodies.read(request))
        form_check.check_token(request, fields.get(form_check.FIELD, ""))
        return fields

    async def _change_trainings(self, request: Request) -> None:
        fields = await self._read_form(request)
        triggers = self._service.training
        if triggers is None:
            raise HTTPException(404, NO_TRAININGS)
        await anyio.to_thread.run_sync(change_trainings, triggers, fields)

    def _render_training(self, request: Request, token: str, message: str) -> str:
        served = self._service.status().get("projects", {})
        values = describe_trainings(self._service.training, served)
        return self._render(request, "training", {**values, "token": token, "message": message})

    async def _try_form(self, request: Request) -> tuple[dict[str, str], Trial]:
        fields = await self._read_form(request)
        trial = await run_trial(
            fields.get("config", ""),
            fields.get("data", ""),
            self._service.names,
            self._predict,
            request.receive,
        )
        return fields, trial

    def _render_playground(
        self, request: Request, fields: dict[str, str], trial: Trial | None, token: str
    ) -> str:
        assets, missing = self._find_editor()
        folder = None if assets is None else assets.folder
        examples = gallery.example_starts(self._service.names)
        chosen = request.query_params.get("start") or (examples[0].key if examples else "")
        start = next((one for one in examples if one.key == chosen), None)
        start = start or gallery.template_start(chosen, folder)
        values: dict[str, Any] = {
            "examples": examples,
            "templates": gallery.template_titles(folder),
            "chosen": chosen,
            "config": fields.get("config", start.label_config if start else ""),
            "data": fields.get("data", gallery.format_task(start.task) if start else "{}"),
            "trial": trial,
            "editor": None if assets is None else assets.version,
            "missing": missing,
            "token": token,
            "max_bytes": int(self._settings.max_body_mb * 1e6 / 2),
        }
        return self._render(request, "playground", values)

    # Files

    async def _answer_file(self, path: str, request: Request) -> Response:
        if path in STATIC_TYPES:
            headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
            file = FOLDER / "static" / path
            return FileResponse(file, media_type=STATIC_TYPES[path], headers=headers)
        if path == "editor/frame" or path.startswith(EDITOR_FILES):
            assets, missing = await anyio.to_thread.run_sync(self._find_editor)
            if assets is None:
                raise HTTPException(404, missing)
            if path == "editor/frame":
                return HTMLResponse(render_page(assets, "files/"), headers=page_headers())
            files = StaticFiles(directory=assets.folder)
            response = await files.get_response(path.removeprefix(EDITOR_FILES), request.scope)
            response.headers.update(FILE_HEADERS)
            return response
        raise HTTPException(404, "There is no such page")

    def _find_editor(self) -> tuple[EditorAssets | None, str]:
        """Return the editor's files, or why there are none."""
        try:
            folder: Path | None = find_assets(self._settings)
            if folder is None:
                return None, "The files of Label Studio's editor are not installed here"
            return read_assets(folder), ""
        except SettingError as error:
            return None, str(error)

    # Responses

    async def _show_kept(
        self,
        request: Request,
        name: str,
        describe: Callable[[PredictionService, Settings], dict[str, Any]],
    ) -> Response:
        def render() -> str:
            with self._lock:
                key = f"{request.url.path} {name}"
                made, html = self._kept.get(key, (0.0, ""))
                if time.monotonic() - made > KEEP_SECONDS or not html:
                    html = self._render(request, name, describe(self._service, self._settings))
                    self._kept = {**self._kept, key: (time.monotonic(), html)}
                return html

        if request.method != "GET":
            raise HTTPException(405, "Nothing can be sent here")
        return html_response(await anyio.to_thread.run_sync(render))

    def _refuse(self, request: Request, status: int, message: str) -> Response:
        values = {"message": message}
        response = html_response(self._render(request, "message", values), status)
        if request.method == "POST":
            # The rest of a body that was not read would be taken for the next request.
            response.headers["Connection"] = "close"
        return response

    def _render(self, request: Request, name: str, values: dict[str, Any]) -> str:
        """Return a page; its links are relative, so that it can be served below any path."""
        path = request.path_params.get("path")
        depth = 0 if path is None else 1 + path.count("/")
        pages = [(page.path, page.title) for page in PAGES]
        common = {"root": "../" * depth or "./", "pages": pages, "current": path or ""}
        return render_template(f"{name}.html.j2", {**common, **values})


PAGES = (
    PageEntry("", "Overview", Site.overview),
    PageEntry("projects", "Projects", Site.projects),
    PageEntry("training", "Training", Site.training),
    PageEntry("playground", "Playground", Site.playground),
    PageEntry("doctor", "Doctor", Site.doctor),
)
__all__ = ["HEADERS", "PAGES", "PageEntry", "Site"]
