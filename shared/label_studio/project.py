"""A Label Studio project: its tasks, read page by page, and the upload of predictions."""

import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from shared.errors import PrelabelError, SettingError
from shared.label_studio.import_file import ImportFile
from shared.label_studio.json_stream import dump_line, load_line
from shared.label_studio.project_key import project_key
from shared.label_studio.task_file import TaskEntry
from shared.media.egress import ssl_context
from shared.media.label_studio_files import sdk_client
from shared.settings import Settings

T = TypeVar("T")

logger = logging.getLogger(__name__)

# Tasks in one response of Label Studio.
PAGE_TASKS = 100
# Tasks whose predictions are uploaded in one request.
BATCH_TASKS = 100
# Annotated tasks in one response: their annotations and predictions may be large.
ANNOTATED_PAGE_TASKS = 50
TASK_FIELDS = "id,data,predictions_model_versions"
# Label Studio leaves out of annotations, too, what is not listed here.
ANNOTATED_TASK_FIELDS = (
    "id,data,annotations,predictions,result,completed_by,was_cancelled,ground_truth,created_at,"
    "updated_at,lead_time,parent_prediction"
)
# Seconds to wait before a page is asked for again.
RETRY_SECONDS = (1.0, 5.0, 20.0)
# Keys of a task that an import takes.
IMPORTED_KEYS = ("data", "meta", "annotations", "predictions")


class UnavailableError(PrelabelError):
    """Label Studio does not answer, or only with a server error: it may later."""

    reason = "label_studio"


class Project:
    """A project's tasks by ascending id, without those that already have all `versions`."""

    def __init__(self, number: int, settings: Settings) -> None:
        """Connect to the project; SettingError without LABEL_STUDIO_URL or LABEL_STUDIO_API_KEY."""
        if settings.label_studio_url is None or settings.label_studio_api_key is None:
            raise SettingError(
                "--project needs LABEL_STUDIO_URL, the address of Label Studio, and"
                " LABEL_STUDIO_API_KEY, a personal access token"
            )
        from httpx import Client

        self.name = f"project {number}"
        self.versions: frozenset[str] = frozenset()
        self.after = 0
        self.number = number
        self._read = 0
        self._http = Client(verify=ssl_context(settings), timeout=60.0, follow_redirects=True)
        key = settings.label_studio_api_key.get_secret_value()
        self.client = sdk_client(settings.label_studio_url, key, self._http)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @cached_property
    def _details(self) -> Any:
        with self.named_errors("reading it"):
            return self.client.projects.get(self.number)

    @property
    def label_config(self) -> str:
        """The XML of the label config."""
        return str(self._details.label_config or "")

    @property
    def key(self) -> str:
        """What Label Studio calls the project when it asks a model, see `project_key`."""
        return project_key({"id": self._details.id, "created_at": self._details.created_at})

    @property
    def fraction(self) -> float | None:
        """The share of the tasks that has been read."""
        count = self._details.task_number
        return min(1.0, self._read / count) if count else None

    def __iter__(self) -> Iterator[TaskEntry]:
        """Yield the tasks with an id greater than `after`."""
        last, index = self.after, 0
        while page := self._read_page(last):
            for task in page:
                last = task.id
                self._read += 1
                if not self.versions or not self.versions <= _predicted_versions(task):
                    yield TaskEntry(index, None, {"id": task.id, "data": task.data})
                    index += 1

    def resume(self, file: ImportFile) -> Iterator[TaskEntry]:
        """Return the tasks with greater ids than those in the file, which may be deleted by now."""
        done = file.done
        for task in file.read_tasks():
            self.after = task["id"]
        file.keep_failures(until=done)
        return (entry._replace(number=done + entry.number) for entry in self)

    def annotated_tasks(self, after: int = 0) -> Iterator[TaskEntry]:
        """Yield the tasks with an id greater than `after`, with all annotations and predictions.

        A page that fails is asked for again; what is read of a task is never asked for twice.
        """
        last, index = after, 0
        while page := self._read_annotated_page(last):
            for task in page:
                last = task.id
                self._read += 1
                yield TaskEntry(index, None, _annotated_json(task))
                index += 1

    def _read_annotated_page(self, after: int) -> list[Any]:
        return self._retry(
            lambda: self._read_page(after, ANNOTATED_PAGE_TASKS, ANNOTATED_TASK_FIELDS)
        )

    def _retry(self, request: Callable[[], T]) -> T:
        """Return what a request answers; one that fails for now is sent again."""
        for seconds in RETRY_SECONDS:
            try:
                return request()
            except UnavailableError as error:
                logger.warning("%s; trying again in %g s", error, seconds)
                time.sleep(seconds)
        return request()

    def _read_page(
        self, after: int, size: int = PAGE_TASKS, fields: str = TASK_FIELDS
    ) -> list[Any]:
        query = {
            "filters": {"conjunction": "and", "items": [_id_filter("greater", after)]},
            "ordering": ["tasks:id"],
        }
        return self._list_tasks(query, size, fields)

    def _list_tasks(self, query: dict[str, Any], size: int, fields: str = TASK_FIELDS) -> list[Any]:
        with self.named_errors("reading its tasks"):
            pager = self.client.tasks.list(
                project=self.number,
                page_size=size,
                query=json.dumps(query),
                fields="all",
                include=fields,
                resolve_uri=False,
            )
            return list(pager.items or [])

    def read_task_data(self, task: int) -> dict[str, Any] | None:
        """Return a task's data as it is stored, with addresses as the user wrote them.

        None if the task has been deleted.
        """
        query = {"filters": {"conjunction": "and", "items": [_id_filter("equal", task)]}}
        found = self._retry(lambda: self._list_tasks(query, 1))
        return dict(found[0].data) if found else None

    def list_data_columns(self) -> list[str]:
        """Return the keys of data for which the Data Manager shows a column."""
        with self.named_errors("reading its columns"):
            # The SDK has no method for it.
            answer = self.client._client_wrapper.httpx_client.request(
                "api/dm/columns", method="GET", params={"project": self.number}
            )
            answer.raise_for_status()
        return [one["id"] for one in answer.json()["columns"] if one.get("parent") == "data"]

    def write_task_data(self, task: int, data: dict[str, Any]) -> None:
        """Replace a task's data."""

        def write() -> None:
            with self.named_errors(f"changing task {task}"):
                self.client.tasks.update(str(task), data=data)

        self._retry(write)

    def store_predictions(self, tasks: Sequence[dict[str, Any]], again: bool) -> None:
        """Store the predictions of tasks that are in the project.

        `again`: an earlier attempt may have stored them. Label Studio's bulk check silently drops
        some valid predictions; those are sent one by one.
        """
        wanted = [
            {"task": task["id"], **prediction}
            for task in tasks
            for prediction in task["predictions"]
        ]
        with self.named_errors("storing predictions"):
            if again:
                wanted = self._missing_predictions(wanted)
            if not wanted:
                return
            answer = self.client.projects.import_predictions(self.number, request=wanted)
            if answer.created != len(wanted):
                for prediction in self._missing_predictions(wanted):
                    self.client.predictions.create(**prediction)

    def stored_predictions(self, task: int) -> list[dict[str, Any]]:
        """Return a task's stored predictions, each with `model_version` and `result`."""
        with self.named_errors("reading predictions"):
            found = self.client.predictions.list(task=task)
        return [{"model_version": one.model_version, "result": one.result} for one in found]

    def import_tasks(self, tasks: Sequence[dict[str, Any]], again: bool) -> None:
        """Import tasks and their predictions; `again`: an earlier attempt may have done so."""
        request = [{key: task[key] for key in IMPORTED_KEYS if key in task} for task in tasks]
        if again:
            newest = self._list_tasks({"ordering": ["-tasks:id"]}, len(tasks))
            if [task.data for task in reversed(newest)] == [task["data"] for task in request]:
                return
        with self.named_errors("importing tasks"):
            self.client.projects.import_tasks(self.number, request=request)

    def _missing_predictions(self, predictions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        there: dict[Any, set[Any]] = {}
        for task in dict.fromkeys(prediction["task"] for prediction in predictions):
            there[task] = {found.model_version for found in self.client.predictions.list(task=task)}
        return [p for p in predictions if p.get("model_version") not in there[p["task"]]]

    @contextmanager
    def named_errors(self, doing: str) -> Iterator[None]:
        """Raise the API's errors in this context as one sentence that names the project."""
        from httpx import HTTPError
        from label_studio_sdk.core.api_error import ApiError

        try:
            yield
        except ApiError as error:
            what = f"Label Studio answers {error.status_code} on {doing}"
            kind = UnavailableError if (error.status_code or 0) >= 500 else PrelabelError
            raise kind(f"{self.name}: {what}: {str(error.body)[:300]}") from None
        except HTTPError as error:
            what = f"Label Studio does not answer on {doing}"
            raise UnavailableError(f"{self.name}: {what}: {type(error).__name__}") from None


class Upload:
    """Sends an import file's tasks to a project in batches, each task once.

    `OUT.pushed` holds how many were sent, and how many there are with the batch in progress: if
    the process ended during a batch, the next run first asks the project whether it arrived.
    """

    def __init__(self, project: Project, file: ImportFile, new: bool) -> None:
        """`new` tells whether tasks are imported, or already in the project."""
        self._send = project.import_tasks if new else project.store_predictions
        self._file = file
        self._state = file.path.with_name(file.path.name + ".pushed")
        self._sent, self._sending = self._read_progress()
        self._tasks = file.read_tasks(self._sent)

    def send_batches(self, everything: bool = False) -> None:
        """Send all full batches, or everything."""
        while (size := self._batch_size(everything)) > 0:
            again = self._sending > self._sent
            self._file.flush(sync=True)
            batch = list(islice(self._tasks, size))
            self._write_progress(self._sent, self._sent + size)
            self._send(batch, again)
            self._write_progress(self._sent + size, self._sent + size)

    def forget_progress(self) -> None:
        """Remove the progress file."""
        self._state.unlink(missing_ok=True)

    def _batch_size(self, everything: bool) -> int:
        if self._sending > self._sent:
            return self._sending - self._sent
        left = self._file.done - self._sent
        return min(left, BATCH_TASKS) if everything or left >= BATCH_TASKS else 0

    def _read_progress(self) -> tuple[int, int]:
        if not self._file.done:
            self._state.unlink(missing_ok=True)
            return 0, 0
        try:
            found = load_line(self._state.read_bytes())
            return found["sent"], found["sending"]
        except FileNotFoundError:
            return 0, 0

    def _write_progress(self, sent: int, sending: int) -> None:
        self._sent, self._sending = sent, sending
        new = Path(f"{self._state}.new")
        new.write_bytes(dump_line({"sent": sent, "sending": sending}))
        new.replace(self._state)


def _id_filter(operator: str, value: int) -> dict[str, Any]:
    return {
        "filter": "filter:tasks:id",
        "operator": operator,
        "type": "Number",
        "value": value,
    }


def _annotated_json(task: Any) -> dict[str, Any]:
    return {
        "id": task.id,
        "data": task.data,
        "annotations": [_as_json(one) for one in task.annotations or ()],
        "predictions": [_as_json(one) for one in task.predictions or ()],
    }


def _as_json(model: Any) -> Any:
    """Return what the SDK has made a model of as JSON again."""
    return model if isinstance(model, dict) else model.dict()


def _predicted_versions(task: Any) -> set[str]:
    text = task.predictions_model_versions
    found = text.split(",") if isinstance(text, str) else text or []
    return {str(version).strip() for version in found}
