"""Label Studio and this server as docker/compose.yaml starts them, but for the containers."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from shared.backend.example import Example
from shared.backend.registry import find_backends
from tests.serving import Served, served

from .conftest import label_studio_environment
from .label_studio import EMAIL, PASSWORD, LabelStudio

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

FILE = Path(__file__).parents[2] / "docker" / "compose.yaml"
GIVEN = {
    "LABEL_STUDIO_USERNAME": EMAIL,
    "LABEL_STUDIO_PASSWORD": PASSWORD,
    "LABEL_STUDIO_API_KEY": "0123456789abcdef0123456789abcdef01234567",
    "BASIC_AUTH_USER": "label-studio",
    "BASIC_AUTH_PASS": "hunter2",
    "WEBHOOK_SECRET": "s3cret",
}
"""What a user sets in the shell."""


def variables(service: str, files: Path) -> dict[str, str]:
    """A service's environment, as compose fills it."""
    found = yaml.safe_load(FILE.read_text())["services"][service]["environment"]

    def filled(match: "re.Match[str]") -> str:
        return GIVEN.get(match[1]) or match[2].removeprefix("-") * match[2].startswith("-")

    values = {k: re.sub(r"\$\{(\w+):([^}]*)\}", filled, v) for k, v in found.items()}
    return {key: str(files) if value == "/files" else value for key, value in values.items()}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    (folder / "texts").mkdir()
    (folder / "texts" / "a.txt").write_text("It was on 3 May 2024.")
    return folder


@pytest.fixture(scope="module")
def label_studio(files: Path) -> Iterator[LabelStudio]:
    with LabelStudio(
        label_studio_environment(), settings=variables("label-studio", files)
    ) as server:
        yield server


@pytest.fixture(scope="module")
def server(
    label_studio: LabelStudio, files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    ours = variables("prelabel", files) | {"LABEL_STUDIO_URL": label_studio.url}
    log = tmp_path_factory.mktemp("server") / "log"
    with served("pattern", log=log, **ours) as running:
        running.wait("/health")
        yield running


def webhooks(server: Served) -> dict[str, int]:
    """How many events were answered, by status."""
    auth = (GIVEN["BASIC_AUTH_USER"], GIVEN["BASIC_AUTH_PASS"])
    text = httpx.get(f"{server.url}/metrics", auth=auth).text
    line = re.compile(r'prelabel_requests_total\{route="([^"]*)",status="(\d+)"\} (\S+)')
    counted: dict[str, int] = {}
    for route, status, count in line.findall(text):
        if "webhook" in route or (status == "401" and route == "unknown"):
            counted[status] = counted.get(status, 0) + int(float(count))
    return counted


def annotate(label_studio: LabelStudio, task: int) -> None:
    label_studio.request("POST", f"/api/tasks/{task}/annotations/", json={"result": []})


def test_pair_talks(label_studio: LabelStudio, server: Served) -> None:
    """One token on both sides; predictions, local files, and a webhook with its secret."""
    config = Example.load(find_backends()["pattern"]).label_config
    config = config.replace('value="$text"', 'value="$text" valueType="url"')
    project = label_studio.create_project("Compose", config)
    [local] = label_studio.import_tasks(
        project, [{"data": {"text": "/data/local-files/?d=texts/a.txt"}}]
    )
    auth = (GIVEN["BASIC_AUTH_USER"], GIVEN["BASIC_AUTH_PASS"])
    backend = label_studio.connect_backend(project, server.url, auth)
    assert label_studio.backend_state(backend["id"])["readable_state"] == "Connected"
    label_studio.retrieve_predictions(project)
    [prediction] = label_studio.predictions(task_id=local)
    assert prediction["result"][0]["value"]["text"] == "3 May 2024"

    # The token that was chosen beforehand opens what users upload.
    token = {"Authorization": f"Token {GIVEN['LABEL_STUDIO_API_KEY']}"}
    me = httpx.get(f"{label_studio.url}/api/current-user/whoami", headers=token)
    assert me.json()["email"] == EMAIL

    # Label Studio made the webhook by itself, without a secret: its events are refused.
    [webhook] = label_studio.request("GET", "/api/webhooks/", params={"project": project})
    assert webhook["url"] == f"{server.url}/webhook"
    annotate(label_studio, local)
    assert webhooks(server) == {"401": 1}

    # With the header that the README names, they arrive.
    headers = {"X-Webhook-Secret": GIVEN["WEBHOOK_SECRET"]}
    label_studio.request("PATCH", f"/api/webhooks/{webhook['id']}/", json={"headers": headers})
    annotate(label_studio, local)
    assert webhooks(server) == {"401": 1, "201": 1}

    # "Start training" comes with the user name and password of the backend.
    label_studio.request("POST", f"/api/ml/{backend['id']}/train")
    assert webhooks(server) == {"401": 1, "201": 2}
    assert os.path.getsize(server.log) < 100_000
