"""A project of Label Studio: its tasks, read page by page, and predictions pushed to it."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from shared.errors import PrelabelError, SettingError
from shared.label_studio.import_file import ImportFile
from shared.label_studio.json_stream import dump_line, load_line
from shared.label_studio.task_file import Entry
from shared.media.egress import ssl_context
from shared.media.label_studio_files import sdk_client
from shared.settings import Settings

# Tasks in one answer of Label Studio.
PAGE = 100
# Tasks whose predictions are pushed in one request.
BATCH = 100
# Keys of a task that an import takes.
IMPORTED = ("data", "meta", "annotations", "predictions")


class Project:
    """A project's tasks in the order of their ids, without those that `versions` have predicted."""

    def __init__(self, number: int, settings: Settings) -> None:
        """SettingError if LABEL_STUDIO_URL or LABEL_STUDIO_API_KEY is missing."""
        if settings.label_studio_url is None or settings.label_studio_api_key is None:
            raise SettingError(
                "--project needs LABEL_STUDIO_URL, the address of Label Studio, and"
                " LABEL_STUDIO_API_KEY, a personal access token"
            )
        from httpx import Client

        self.name = f"project {number}"
        self.versions: frozenset[str] = frozenset()
        self.after = 0
        self._number = number
        self._read = 0
        self._http = Client(verify=ssl_context(settings), timeout=60.0, follow_redirects=True)
        key = settings.label_studio_api_key.get_secret_value()
        self._client = sdk_client(settings.label_studio_url, key, self._http)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @cached_property
    def _facts(self) -> Any:
        with self._asking("reading it"):
            return self._client.projects.get(self._number)

    @property
    def label_config(self) -> str:
        """The label config's XML."""
        return str(self._facts.label_config or "")

    @property
    def fraction(self) -> float | None:
        """How many of the tasks are read."""
        count = self._facts.task_number
        return min(1.0, self._read / count) if count else None

    def __iter__(self) -> Iterator[Entry]:
        """The tasks with an id greater than `after`."""
        last, index = self.after, 0
        while page := self._page(last):
            for task in page:
                last = task.id
                self._read += 1
                if not self.versions or not self.versions <= _versions(task):
                    yield Entry(index, None, {"id": task.id, "data": task.data})
                    index += 1

    def resume(self, file: ImportFile) -> Iterator[Entry]:
        """Return the tasks with greater ids than those in the file, which may be deleted by now."""
        done = file.done
        for task in file.tasks():
            self.after = task["id"]
        file.keep_failures(until=done)
        return (entry._replace(number=done + entry.number) for entry in self)

    def _page(self, after: int) -> list[Any]:
        newer = {"filter": "filter:tasks:id", "operator": "greater", "type": "Number"}
        query = {
            "filters": {"conjunction": "and", "items": [newer | {"value": after}]},
            "ordering": ["tasks:id"],
        }
        return self._list(query, PAGE)

    def _list(self, query: dict[str, Any], size: int) -> list[Any]:
        with self._asking("reading its tasks"):
            pager = self._client.tasks.list(
                project=self._number,
                page_size=size,
                query=json.dumps(query),
                fields="all",
                include="id,data,predictions_model_versions",
                resolve_uri=False,
            )
            return list(pager.items or [])

    def predict(self, tasks: Sequence[dict[str, Any]], again: bool) -> None:
        """Store the predictions of tasks that are in the project.

        `again`: an earlier attempt may have done it. Label Studio's own check of many at once
        leaves out, without a word, also some that are right; those are sent one by one.
        """
        wanted = [
            {"task": task["id"], **prediction}
            for task in tasks
            for prediction in task["predictions"]
        ]
        with self._asking("storing predictions"):
            if again:
                wanted = self._missing(wanted)
            if not wanted:
                return
            answer = self._client.projects.import_predictions(self._number, request=wanted)
            if answer.created != len(wanted):
                for prediction in self._missing(wanted):
                    self._client.predictions.create(**prediction)

    def predictions(self, task: int) -> list[dict[str, Any]]:
        """The stored predictions of a task: each with `model_version` and `result`."""
        with self._asking("reading predictions"):
            found = self._client.predictions.list(task=task)
        return [{"model_version": one.model_version, "result": one.result} for one in found]

    def add(self, tasks: Sequence[dict[str, Any]], again: bool) -> None:
        """Import tasks with their predictions; `again`: an earlier attempt may have done it."""
        request = [{key: task[key] for key in IMPORTED if key in task} for task in tasks]
        if again:
            newest = self._list({"ordering": ["-tasks:id"]}, len(tasks))
            if [task.data for task in reversed(newest)] == [task["data"] for task in request]:
                return
        with self._asking("importing tasks"):
            self._client.projects.import_tasks(self._number, request=request)

    def _missing(self, predictions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        there: dict[Any, set[Any]] = {}
        for task in dict.fromkeys(prediction["task"] for prediction in predictions):
            there[task] = {
                found.model_version for found in self._client.predictions.list(task=task)
            }
        return [p for p in predictions if p.get("model_version") not in there[p["task"]]]

    @contextmanager
    def _asking(self, doing: str) -> Iterator[None]:
        from httpx import HTTPError
        from label_studio_sdk.core.api_error import ApiError

        try:
            yield
        except ApiError as error:
            what = f"Label Studio answers {error.status_code} on {doing}"
            raise PrelabelError(f"{self.name}: {what}: {str(error.body)[:300]}") from None
        except HTTPError as error:
            what = f"Label Studio does not answer on {doing}"
            raise PrelabelError(f"{self.name}: {what}: {type(error).__name__}") from None


class Push:
    """Sends an import file's tasks to a project, in batches, each once.

    `OUT.pushed` holds how many are sent, and how many an attempt would have made it: a batch
    that was under way when the process ended is looked for in the project first.
    """

    def __init__(self, project: Project, file: ImportFile, new: bool) -> None:
        """`new`: whether tasks are imported rather than in the project."""
        self._send = project.add if new else project.predict
        self._file = file
        self._state = file.path.with_name(file.path.name + ".pushed")
        self._sent, self._sending = self._read()
        self._tasks = file.tasks(self._sent)

    def push(self, everything: bool = False) -> None:
        """Send the whole batches there are, or everything."""
        while (size := self._due(everything)) > 0:
            again = self._sending > self._sent
            self._file.flush(sync=True)
            batch = list(islice(self._tasks, size))
            self._write(self._sent, self._sent + size)
            self._send(batch, again)
            self._write(self._sent + size, self._sent + size)

    def finish(self) -> None:
        """Forget how far it was."""
        self._state.unlink(missing_ok=True)

    def _due(self, everything: bool) -> int:
        if self._sending > self._sent:
            return self._sending - self._sent
        left = self._file.done - self._sent
        return min(left, BATCH) if everything or left >= BATCH else 0

    def _read(self) -> tuple[int, int]:
        if not self._file.done:
            self._state.unlink(missing_ok=True)
            return 0, 0
        try:
            found = load_line(self._state.read_bytes())
            return found["sent"], found["sending"]
        except FileNotFoundError:
            return 0, 0

    def _write(self, sent: int, sending: int) -> None:
        self._sent, self._sending = sent, sending
        new = Path(f"{self._state}.new")
        new.write_bytes(dump_line({"sent": sent, "sending": sending}))
        new.replace(self._state)


def _versions(task: Any) -> set[str]:
    text = task.predictions_model_versions
    found = text.split(",") if isinstance(text, str) else text or []
    return {str(version).strip() for version in found}
