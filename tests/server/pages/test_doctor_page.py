import re
import threading
from typing import Any

import httpx
import pytest

from shared.doctor import runner
from shared.doctor.runner import STEPS
from shared.errors import RequestError
from shared.server.pages.doctor import DoctorRuns
from shared.settings import Settings, read_settings
from tests.serving import served

from .test_pages import HTML, SAME, message, serve

PAGE = "/pages/doctor"


def send(client: Any, project: str = "") -> Any:
    """Open the page and send its form, as a browser does."""
    found = re.search(r'name="token" value="([^"]+)"', client.get(PAGE, headers=SAME).text)
    assert found is not None
    return client.post(PAGE, data={"token": found[1], "project": project}, headers=SAME)


def test_page_names_each_step_and_checks_nothing_by_itself() -> None:
    with serve() as client:
        page = client.get(PAGE, headers=HTML)
    assert page.status_code == 200
    assert re.findall(r"<li>(.*?)</li>", page.text) == [step.link for step in STEPS]


def test_checks_ask_the_server_itself(tmp_path: Any) -> None:
    variables = {"LABEL_STUDIO_URL": "http://127.0.0.1:9", "LABEL_STUDIO_API_KEY": "none"}
    with served("pattern", log=tmp_path / "log", **variables) as running:
        running.wait("/ready", 60)
        with httpx.Client(base_url=running.url, trust_env=False, timeout=60) as client:
            answer = send(client)
    states = dict(
        re.findall(r'<th scope="row">([^<]*)</th>\s*<td><span class="state \w+">(\w+)', answer.text)
    )
    # A model on another machine is asked only if there is one.
    assert list(states) == [step.link for step in STEPS if step.link != "Remote model"]
    assert (states["Server"], states["Label Studio"], states["Token"]) == (
        "ok", "broken", "skipped",
    )  # fmt: skip
    assert "What helps:" in answer.text


@pytest.mark.parametrize("project", ["x", "-1", "1.5", "٣", "9" * 30, "1 2"])
def test_project_that_is_no_number_is_named(project: str) -> None:
    with serve() as client:
        answer = send(client, project)
    assert answer.status_code == 422
    assert "is not the number of a project" in message(answer.text)


def test_checks_run_once_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    started, go_on = threading.Event(), threading.Event()

    def wait(session: Any) -> Any:
        started.set()
        go_on.wait(60)
        return iter(())

    step = runner.CheckStep("Server", (), wait)
    monkeypatch.setattr(runner, "STEPS", (step,))
    runs = DoctorRuns(read_settings(Settings))
    first = threading.Thread(target=runs.run, args=(("127.0.0.1", 1), ""))
    first.start()
    assert started.wait(60)
    with pytest.raises(RequestError, match="running already"):
        runs.run(("127.0.0.1", 1), "")
    go_on.set()
    first.join(60)
    assert runs.run(("127.0.0.1", 1), "") == []


def test_server_on_a_file_says_what_to_do() -> None:
    with pytest.raises(RequestError, match="prelabel doctor"):
        DoctorRuns(read_settings(Settings)).run(("/run/prelabel.sock", None), "")


def test_form_of_another_site_checks_nothing() -> None:
    with serve() as client:
        client.get(PAGE, headers=HTML)
        form = {"project": "", "token": client.cookies["prelabel_form"]}
        answer = client.post(PAGE, data=form, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
