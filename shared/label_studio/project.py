"""A Label Studio project: its tasks, read page by page, and the predictions stored in it."""

import json
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, TypeVar

from shared.errors import PrelabelError, SettingError, redact_url
from shared.label_studio.import_file import ImportFile
from shared.label_studio.model_version import find_superseded
from shared.label_studio.project_key import project_key, read_project_number
from shared.label_studio.task_choice import sample
from shared.label_studio.task_file import TaskEntry
from shared.media.label_studio_files import sdk_client
from shared.settings import Settings

T = TypeVar("T")

logger = logging.getLogger(__name__)

# Tasks in one response of Label Studio.
PAGE_TASKS = 100
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
FIRST_REFUSAL, NOT_FOUND, TOO_MANY_REQUESTS, SERVER_ERROR = 400, 404, 429, 500
# Of a gateway that has waited for long enough: Label Studio may still be at work on the request.
GATEWAY_TIMEOUT = 504
RENEWAL_PATH = "/api/token/refresh/"
# The SDK repeats requests by itself, also those that were carried out and whose answer was lost:
# what creates something is repeated here instead, after a look at what is there.
ONCE: Any = {"max_retries": 0}
# Keys of a task that an import takes.
IMPORTED_KEYS = ("data", "meta", "annotations", "predictions")


class UnavailableError(PrelabelError):
    """Label Studio does not answer, or with a server error or 429: it may later.

    `may_go_on` tells whether it may have got the request, and be at work on it still.
    """

    reason = "label_studio"
    may_go_on = False


class Project:
    """A project's tasks by ascending id, without those that already have all `versions`.

    - `unannotated`: whether only tasks without annotations are read
    - `only`: the ids of the tasks to read
    - `size`: how many are read, chosen at random but always the same
    - `replaces`: whether predictions of older versions are deleted, see `find_superseded`
    """

    def __init__(self, number: int, settings: Settings) -> None:
        """Connect to the project; SettingError without LABEL_STUDIO_URL or LABEL_STUDIO_API_KEY."""
        if settings.label_studio_url is None or settings.label_studio_api_key is None:
            raise SettingError(
                "--project needs LABEL_STUDIO_URL, the address of Label Studio, and"
                " LABEL_STUDIO_API_KEY, a personal access token"
            )
        from httpx import Client

        from shared.media.egress import ssl_context

        self.name = f"project {number}"
        self.versions: frozenset[str] = frozenset()
        self.unannotated = False
        self.only: Collection[int] | None = None
        self.size: int | None = None
        self.replaces = False
        self._outdated: set[int] = set()
        self.after = 0
        self.number = number
        self._read = 0
        self._http = Client(
            verify=ssl_context(settings),
            timeout=60.0,
            follow_redirects=True,
            event_hooks={"response": [_refuse_page]},
        )
        key = settings.label_studio_api_key.get_secret_value()
        self.client = sdk_client(settings.label_studio_url, key, self._http)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @cached_property
    def _details(self) -> Any:
        with self.named_errors("reading it"):
            found = self.client.projects.get(self.number)
        if found.id != self.number:
            raise self._foreign_answer("reading it", "no project with its id")
        return found

    def refresh(self) -> None:
        """Read the label config and the number of tasks again when they are next asked for."""
        self.__dict__.pop("_details", None)

    @property
    def task_count(self) -> int:
        """How many tasks there are."""
        return int(self._details.task_number or 0)

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
        index = 0
        for task in self._chosen_tasks():
            stored = predicted_versions(task)
            if self.replaces and find_superseded(stored, self.versions):
                self._outdated.add(task.id)
            if not self.versions or not self.versions <= stored:
                yield TaskEntry(index, None, {"id": task.id, "data": task.data})
                index += 1
            elif task.id in self._outdated:  # an earlier run was stopped before it deleted them
                self.delete_superseded([task.id])

    def _chosen_tasks(self) -> Iterator[Any]:
        if self.size is None:
            return self._listed_tasks(self.after)
        chosen = sample(self._listed_tasks(0), self.size, lambda task: int(task.id))
        return (task for task in chosen if task.id > self.after)

    def _listed_tasks(self, after: int) -> Iterator[Any]:
        """Yield the tasks with an id greater than `after`, page by page."""
        if self.only is not None:
            for number in sorted(number for number in self.only if number > after):
                yield from self._find_task(number)
            return
        while page := self._read_page(after):
            for task in page:
                after = task.id
                self._read += 1
                yield task

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

    def last_annotated_tasks(self) -> Iterator[TaskEntry]:
        """Yield the tasks that have annotations, with all of them, by descending id."""
        before, index = 0, 0
        while page := self._read_page_before(before):
            for task in page:
                before = task.id
                yield TaskEntry(index, None, _annotated_json(task))
                index += 1

    def _read_page_before(self, before: int) -> list[Any]:
        wanted = [_number_filter("total_annotations", "greater", 0)]
        wanted += [_number_filter("id", "less", before)] if before else []
        query = {"filters": _filters(*wanted), "ordering": ["-tasks:id"]}
        size, fields = ANNOTATED_PAGE_TASKS, ANNOTATED_TASK_FIELDS
        return self.retry(lambda: self._list_tasks(query, size, fields))

    def _read_annotated_page(self, after: int) -> list[Any]:
        return self.retry(
            lambda: self._read_page(after, ANNOTATED_PAGE_TASKS, ANNOTATED_TASK_FIELDS)
        )

    def retry(self, request: Callable[[], T]) -> T:
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
        wanted = [_number_filter("id", "greater", after)]
        if self.unannotated:
            wanted.append(_number_filter("total_annotations", "equal", 0))
        query = {"filters": _filters(*wanted), "ordering": ["tasks:id"]}
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
        found = self._find_task(task)
        return dict(found[0].data) if found else None

    def list_between(
        self, first: int, last: int, size: int, fields: str = TASK_FIELDS
    ) -> list[Any]:
        """Return the tasks with ids from `first` to `last`, by ascending id, `size` at most.

        The lists are those of the Data Manager; a list that fails for now is asked for again.
        """
        wanted = [
            _number_filter("id", "greater", first - 1),
            _number_filter("id", "less", last + 1),
        ]
        query = {"filters": _filters(*wanted), "ordering": ["tasks:id"]}
        return self.retry(lambda: self._list_tasks(query, size, fields))

    def request(self, doing: str, method: str, path: str, **options: Any) -> Any:
        """Return the JSON that the API answers, for what the SDK has no method; None for 404."""
        from label_studio_sdk.core.api_error import ApiError

        with self.named_errors(doing):
            http = self.client._client_wrapper.httpx_client
            answer = http.request(path, method=method, **options)
            if answer.status_code == NOT_FOUND:
                return None
            if not answer.is_success:
                raise ApiError(status_code=answer.status_code, body=answer.text)
            return answer.json() if answer.content else {}

    def delete_repeated(self, task: int) -> int:
        """Delete what a task has twice of `versions`, except for the first; return how many."""
        with self.named_errors("deleting repeated predictions"):
            stored = sorted(self.client.predictions.list(task=task), key=lambda one: one.id or 0)
            seen: set[str] = set()
            count = 0
            for one in stored:
                version = one.model_version or ""
                if version in seen:
                    self._delete_prediction(one.id)
                    count += 1
                if version in self.versions:
                    seen.add(version)
        return count

    def _delete_prediction(self, number: int | None) -> None:
        """Delete a prediction that may be gone already: others delete, and answers are lost."""
        self.request("deleting predictions", "DELETE", f"api/predictions/{number}/")

    def _find_task(self, task: int) -> list[Any]:
        query = {"filters": _filters(_number_filter("id", "equal", task))}
        return self.retry(lambda: self._list_tasks(query, 1))

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

        self.retry(write)

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
            self._import_predictions(wanted)
        if self.replaces:
            self.delete_superseded(task["id"] for task in tasks if task["id"] in self._outdated)

    def _import_predictions(self, wanted: list[dict[str, Any]]) -> None:
        if not wanted:
            return
        answer = self.client.projects.import_predictions(
            self.number, request=wanted, request_options=ONCE
        )
        if answer.created != len(wanted):
            for prediction in self._missing_predictions(wanted):
                self.client.predictions.create(**prediction, request_options=ONCE)

    def delete_superseded(self, tasks: Iterable[int]) -> None:
        """Delete the predictions of tasks that those of `versions` take the place of."""
        with self.named_errors("deleting older predictions"):
            for task in tasks:
                stored = self.client.predictions.list(task=task)
                known = [one.model_version or "" for one in stored]
                old = find_superseded(known, self.versions)
                for one in stored:
                    if one.model_version in old:
                        self._delete_prediction(one.id)

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
            self.client.projects.import_tasks(self.number, request=request, request_options=ONCE)

    def _missing_predictions(self, predictions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        there: dict[Any, set[Any]] = {}
        for task in dict.fromkeys(prediction["task"] for prediction in predictions):
            there[task] = {found.model_version for found in self.client.predictions.list(task=task)}
        return [p for p in predictions if p.get("model_version") not in there[p["task"]]]

    @contextmanager
    def named_errors(self, doing: str) -> Iterator[None]:
        """Raise the API's errors in this context as one sentence that names the project."""
        from httpx import ConnectError, ConnectTimeout, HTTPError
        from label_studio_sdk.core.api_error import ApiError

        try:
            yield
        except (AttributeError, TypeError) as error:  # the SDK's, of an answer of another kind
            raise self._foreign_answer(doing, "JSON of another kind") from error
        except ApiError as error:
            status = error.status_code or 0
            said = _describe_refusal(error.body)
            if status < FIRST_REFUSAL:
                raise self._foreign_answer(doing, said) from None
            what = f"{self.name}: Label Studio answers {status} on {doing}: {said}"
            if status < SERVER_ERROR and status != TOO_MANY_REQUESTS:
                raise PrelabelError(what) from None
            unavailable = UnavailableError(what)
            unavailable.may_go_on = status == GATEWAY_TIMEOUT
            raise unavailable from None
        except HTTPError as error:
            what = f"{self.name}: Label Studio does not answer on {doing}: {type(error).__name__}"
            unavailable = UnavailableError(what)
            unavailable.may_go_on = not isinstance(error, (ConnectError, ConnectTimeout))
            raise unavailable from None

    def _foreign_answer(self, doing: str, found: str) -> PrelabelError:
        address = redact_url(self.client._client_wrapper.get_base_url().rstrip("/"))
        return PrelabelError(
            f"{self.name}: what answers at {address} on {doing} is no Label Studio: {found}. Set"
            " LABEL_STUDIO_URL to the address of Label Studio as this machine reaches it"
        )


def _refuse_page(response: Any) -> None:
    """Raise what the SDK would, where it expects JSON: a page says that a token is not renewed.

    Such are those of a gateway whose Label Studio is not there.
    """
    from label_studio_sdk.core.api_error import ApiError

    if not response.is_success and response.request.url.path.endswith(RENEWAL_PATH):
        response.read()
        raise ApiError(status_code=response.status_code, body=response.text)


def _filters(*items: dict[str, Any]) -> dict[str, Any]:
    return {"conjunction": "and", "items": items}


def _number_filter(column: str, operator: str, value: int) -> dict[str, Any]:
    """Return a filter of the Data Manager, on a column of numbers."""
    return {
        "filter": f"filter:tasks:{column}",
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


def predicted_versions(task: Any) -> set[str]:
    """Return the model versions of a listed task's predictions."""
    text = task.predictions_model_versions
    found = text.split(",") if isinstance(text, str) else text or []
    return {str(version).strip() for version in found}


def may_have_repeated(task: Any) -> bool:
    """Return whether a listed task has more predictions than versions."""
    return (task.total_predictions or 0) > len(predicted_versions(task))


def _describe_refusal(body: Any) -> str:
    """Return what Label Studio says of an error, without the numbers beside it."""
    if not isinstance(body, dict) or not body.get("detail"):
        return str(body)[:300]
    invalid = body.get("validation_errors")
    return f"{body['detail']}{f': {invalid}' if invalid else ''}"[:300]


def find_project_key(text: str, settings: Settings) -> str:
    """Ask Label Studio for the key of the project that a request names by its id or key.

    SettingError if the key is that of another Label Studio.
    """
    number = read_project_number(text)
    project = Project(number, settings)
    try:
        key = project.key
    finally:
        project.close()
    if text not in (key, str(number)):
        raise SettingError(
            f"project {text} is of another Label Studio than LABEL_STUDIO_URL, which has"
            f" {key} (id and time of creation)"
        )
    return key
