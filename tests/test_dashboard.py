"""The dashboard for Grafana: each of its queries has an answer in a real Prometheus."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.prompt.fault_server import FaultServer
from tests.serving import free_port, served

DASHBOARD: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "docker" / "grafana.json").read_text()
)
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
CONFIG = """<View><Text name="text" value="$text"/>
  <Choices name="topic" toName="text"><Choice value="Sports"/><Choice value="Weather"/></Choices>
  <Rating name="stars" toName="text"/>
</View>"""
SCRAPE = """
global: {scrape_interval: 1s}
scrape_configs: [{job_name: prelabel, static_configs: [{targets: ["%s"]}]}]
"""


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A Prometheus that has scraped a server that answered requests, and some that failed."""
    program = shutil.which("prometheus")
    if program is None:
        assert not os.environ.get("CI"), "CI installs Debian's package prometheus"
        pytest.skip("needs prometheus, e.g. Debian's package")
    folder = tmp_path_factory.mktemp("prometheus")
    with ExitStack() as running:
        models = running.enter_context(FaultServer())
        variables = {
            "TEXT_CLASSIFICATION_MODEL": "starter",
            "PROMPT_MODEL": "any",
            "PROMPT_BASE_URL": models.url,
        }
        names = ("text_classification", "prompt")
        server = running.enter_context(served(*names, log=folder / "server.log", **variables))
        server.wait("/ready")
        host = server.url.removeprefix("http://")
        (folder / "prometheus.yml").write_text(SCRAPE % host)
        address = f"127.0.0.1:{free_port()}"
        files = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [program, *files, f"--web.listen-address={address}"], stdout=log, stderr=log
            )
        try:
            with httpx.Client(base_url=f"http://{address}", timeout=5) as client:
                _make_traffic(server.url, client)
                yield client
        finally:
            process.terminate()
            process.wait(20)


def _make_traffic(server: str, prometheus: httpx.Client) -> None:
    """Send requests until Prometheus knows rates of them."""
    end = time.monotonic() + 60
    while (now := time.monotonic()) < end:
        known, new = "The match ended two to one.", f"The match ended at {now}."
        tasks = [{"data": {"text": text}} for text in (known, new)]
        body = {"tasks": [*tasks, {"data": {}}], "label_config": CONFIG, "project": "1.1"}
        httpx.post(f"{server}/predict", json=body, timeout=30)
        httpx.get(f"{server}/health")
        try:
            if _query(prometheus, 'rate(prelabel_tasks_total{outcome="failed"}[30s]) > 0'):
                return
        except httpx.HTTPError:  # it is not there yet
            pass
        time.sleep(0.5)
    raise AssertionError("Prometheus has no rates after a minute")


def _query(client: httpx.Client, query: str) -> list[Any]:
    answer = client.get("/api/v1/query", params={"query": query})
    answer.raise_for_status()
    result: list[Any] = answer.json()["data"]["result"]
    return result


def queries() -> list[Any]:
    found = []
    for panel in PANELS:
        for target in panel["targets"]:
            name = f"{panel['title']}: {target['legendFormat']}"
            found.append(pytest.param(target["expr"], target["legendFormat"], id=name))
    return found


@pytest.mark.parametrize(("query", "legend"), queries())
def test_query_has_an_answer(query: str, legend: str, prometheus: httpx.Client) -> None:
    plain = query.replace("$__rate_interval", "1m").replace("$instance", ".+")
    assert "$" not in plain, "a variable that Grafana does not know"
    found = _query(prometheus, plain)
    assert found
    assert all(float(one["value"][1]) >= 0 for one in found), "a number, not NaN"
    for label in re.findall(r"{{(\w+)}}", legend):
        assert all(label in one["metric"] for one in found)


def test_servers_can_be_chosen(prometheus: httpx.Client) -> None:
    variables = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
    metric, label = re.fullmatch(
        r"label_values\((\w+), (\w+)\)", variables["instance"]["query"]["query"]
    ).groups()  # type: ignore[union-attr]
    assert {one["metric"].get(label) for one in _query(prometheus, metric)} == {
        one["metric"]["instance"] for one in _query(prometheus, "up")
    }


def test_panels_do_not_overlap_and_each_says_what_it_shows() -> None:
    cells = set()
    for panel in PANELS:
        place = panel["gridPos"]
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not own & cells
        cells |= own
        assert panel["description"]
    assert max(x for x, _ in cells) < 24, "a dashboard has 24 columns"
