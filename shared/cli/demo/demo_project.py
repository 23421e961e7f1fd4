"""A project of a real Label Studio, made and used by the demo as a user would."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from shared.errors import PrelabelError, SettingError
from shared.settings import Settings

TIMEOUT_SECONDS = 120.0
ALL_TASKS = {"all": True, "excluded": []}


class DemoProjectError(PrelabelError):
    """Label Studio refuses what the demo asks for."""

    reason = "label_studio"


@dataclass(frozen=True)
class DemoProject:
    """A project, and requests as the pages of Label Studio send them."""

    number: int
    key: str
    address: str
    client: Any
    http: Any

    @classmethod
    @contextmanager
    def create(cls, settings: Settings, title: str, label_config: str) -> "Iterator[DemoProject]":
        """Create a project, which stays; SettingError without Label Studio's address or token."""
        if settings.label_studio_url is None or settings.label_studio_api_key is None:
            raise SettingError(
                "--training needs LABEL_STUDIO_URL, the address of Label Studio, and"
                " LABEL_STUDIO_API_KEY, a personal access token; `make demo-training` brings a"
                " Label Studio of its own"
            )
        from httpx import Client

        from shared.label_studio.project_key import project_key
        from shared.media.egress import ssl_context
        from shared.media.label_studio_files import sdk_client

        with Client(verify=ssl_context(settings), timeout=TIMEOUT_SECONDS) as http:
            key = settings.label_studio_api_key.get_secret_value()
            client = sdk_client(settings.label_studio_url, key, http)
            made = client.projects.create(title=title, label_config=label_config)
            number = int(made.id or 0)
            own = project_key({"id": number, "created_at": made.created_at})
            yield cls(number, own, settings.label_studio_url, client, http)

    @property
    def page(self) -> str:
        """The address of the project's tasks in a browser."""
        return f"{self.address}/projects/{self.number}/data"

    def upload(self, files: Sequence[tuple[str, bytes]]) -> list[int]:
        """Upload files by name, and return the ids of the tasks that show them."""
        # of two files under one field name Label Studio takes the last
        form = {str(number): file for number, file in enumerate(files)}
        path = f"projects/{self.number}/import?return_task_ids=true"
        return [int(task) for task in self._post(path, files=form)["task_ids"]]

    def annotate(self, task: int, results: Sequence[dict[str, Any]]) -> None:
        """Submit an annotation of a task."""
        self.client.annotations.create(task, result=list(results))

    def connect_model(self, url: str) -> int:
        """Connect a server as the project's model, and return its id."""
        return int(self.client.ml.create(project=self.number, url=url, title="prelabel").id)

    def model_version(self, model: int) -> str:
        """Return what the model says of its version; Label Studio asks it now."""
        return str(self.client.ml.get(model).model_version)

    def start_training(self, model: int) -> None:
        """Send what the button "Start Training" sends."""
        self._post(f"ml/{model}/train", json={})

    def retrieve_predictions(self) -> None:
        """Send what the action "Retrieve Predictions" sends for all tasks."""
        path = f"dm/actions/?id=retrieve_tasks_predictions&project={self.number}"
        self._post(path, json={"selectedItems": ALL_TASKS})

    def predictions(self) -> list[Any]:
        """Return all predictions that Label Studio has stored."""
        return list(self.client.predictions.list(project=self.number))

    def _post(self, path: str, **body: Any) -> Any:
        """Send a request of which the SDK has no method; DemoProjectError if it is refused."""
        headers = {"Authorization": self.client._client_wrapper.get_headers()["Authorization"]}
        answer = self.http.post(f"{self.address}/api/{path}", headers=headers, **body)
        if not answer.is_success:
            raise DemoProjectError(
                f"Label Studio answers {answer.status_code} to /api/{path}: {answer.text[:500]}"
            )
        return answer.json() if answer.content else None
