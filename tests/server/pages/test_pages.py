import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from backends.pattern import PatternBackend
from shared.backend.base import Backend
from shared.pipeline import runtime
from shared.server.app import create_app
from shared.server.backend_service import BackendService
from shared.server.pages.responses import format_count
from shared.server.pages.site import PAGES
from shared.settings import Settings, read_settings
from tests.tiny import TEXT_CONFIG, WordBackend

HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
SAME = {**HTML, "Sec-Fetch-Site": "same-origin"}
SCRIPT = "<script>alert(1)</script>"
PATHS = ["/" if not page.path else f"/pages/{page.path}" for page in PAGES]


@contextmanager
def serve(backend: type[Backend] = PatternBackend, **settings: Any) -> Iterator[TestClient]:
    runtime.reset_runtime()
    service = BackendService([backend], named=[backend.name])
    app = create_app(service, read_settings(Settings).model_copy(update=settings))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def client() -> Iterator[TestClient]:
    with serve() as client:
        yield client


def send(client: TestClient, config: str, data: str, **headers: str) -> Any:
    """Open the playground and send its form, as a browser does."""
    page = client.get("/pages/playground", headers=SAME).text
    found = re.search(r'name="token" value="([^"]+)"', page)
    assert found is not None
    form = {"token": found[1], "config": config, "data": data}
    return client.post("/pages/playground", data=form, headers={**SAME, **headers})


def message(html: str) -> str:
    """The sentence in the place of a result; empty if there is none."""
    found = re.search(r'<p class="problem" role="alert">(.*?)</p>', html, re.DOTALL)
    return found[1] if found else ""


# Which of the two a client gets


@pytest.mark.parametrize(
    ("accept", "is_page"),
    [
        pytest.param(HTML["Accept"], True, id="browser"),
        pytest.param("text/html", True, id="html"),
        pytest.param("*/*", False, id="curl"),
        pytest.param("application/json", False, id="json"),
        pytest.param("application/json, text/html", False, id="json-first"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_a_browser_gets_a_page_and_a_program_json(
    accept: str, is_page: bool, client: TestClient
) -> None:
    answer = client.get("/", headers={"Accept": accept})
    assert answer.status_code == 200
    if is_page:
        assert "<h1>Overview</h1>" in answer.text
    else:
        assert answer.json()["status"] == "UP"


def test_nothing_of_the_pages_is_imported_before_one_is_asked_for() -> None:
    code = """
import sys
from starlette.testclient import TestClient
from backends.pattern import PatternBackend
from shared.server.app import create_app
from shared.server.backend_service import BackendService
from shared.settings import Settings
client = TestClient(create_app(BackendService([PatternBackend]), Settings()))
names = "jinja2", "shared.server.pages", "shared.editor"
assert client.get("/health").status_code == client.get("/").status_code == 200
print([name for name in names if name in sys.modules])
assert client.get("/", headers={"Accept": "text/html"}).status_code == 200
print([name for name in names if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = done.stdout.splitlines()
    assert (before, after) == ("[]", "['jinja2', 'shared.server.pages', 'shared.editor']")


# Every page


@pytest.mark.parametrize("path", PATHS)
def test_page_has_no_script_or_style_of_its_own_and_names_no_other_host(
    path: str, client: TestClient
) -> None:
    answer = client.get(path, headers=HTML)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"\sstyle=|<style|\son\w+=|<script(?! src=)", answer.text)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', answer.text)


@pytest.mark.parametrize("path", PATHS)
def test_page_weighs_little(path: str, client: TestClient) -> None:
    parts = [client.get(path, headers=HTML)]
    parts += [client.get(f"/pages/{name}") for name in ("style.css", "script.js")]
    assert all(part.status_code == 200 for part in parts)
    assert sum(len(part.content) for part in parts) <= 150_000


@pytest.mark.parametrize("path", PATHS)
def test_page_asks_for_the_password(path: str) -> None:
    with serve(basic_auth_user="anna", basic_auth_pass=SecretStr("hunter2")) as client:
        assert client.get(path, headers=HTML).status_code == 401
        assert client.get(path, headers=HTML, auth=("anna", "hunter2")).status_code == 200
        assert client.post(path, headers=SAME).status_code == 401


@pytest.mark.parametrize(
    "path", ["nothing", "nothing/health", "style.css/x", "editor/files/..%2F..%2Fmain.js"]
)
def test_what_is_no_page_is_404_and_one_metric(path: str, client: TestClient) -> None:
    answer = client.get(f"/pages/{path}", headers=HTML)
    assert answer.status_code == 404
    assert "<h1>This did not work</h1>" in answer.text
    routes = re.findall(r'prelabel_requests_total\{route="([^"]+)"', client.get("/metrics").text)
    assert [route for route in routes if "pages" in route] == ["/pages/"]


@pytest.mark.parametrize("path", ["/", "/pages/projects", "/pages/style.css"])
def test_nothing_can_be_sent_to_a_page_without_a_form(path: str, client: TestClient) -> None:
    assert client.post(path, headers=SAME).status_code == 405


# What pages show


def test_overview_and_projects_show_what_was_predicted(client: TestClient) -> None:
    assert "No label config has been seen yet" in client.get("/pages/projects", headers=HTML).text
    config = '<View><Labels name="a" toName="t"><Label value="Date"/><Label value="Fog"/></Labels>'
    config += '<Rating name="stars" toName="t"/><Text name="t" value="$text"/></View>'
    body = {"tasks": [{"id": 7, "data": {"text": "On 2024-05-03."}}], "label_config": config}
    assert client.post("/predict", json=body).status_code == 200
    assert (
        client.post("/predict", json={**body, "tasks": [{"id": 8, "data": {}}]}).status_code == 200
    )
    time.sleep(1.1)  # a page is kept for a second
    page = client.get("/pages/projects", headers=HTML).text
    rows = [
        re.sub(r"<[^>]+>|\s+", " ", row.split("</tr>")[0]).split() for row in page.split("<tr>")
    ]
    assert ["Labels", "a", "t", "pattern", "pattern"] in rows
    assert ["Rating", "stars", "t", "nothing", "–"] in rows
    assert ["no", "class", "Fog"] in rows
    assert "text&#34; is missing in the task&#39;s data" in page
    overview = client.get("/", headers=HTML).text
    assert "<strong>1</strong> pattern:missing_key" in overview


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 labels"), (1, "1 label"), (2, "2 labels")], ids=["0", "1", "2"]
)
def test_what_is_counted_is_said_in_the_right_number(count: int, text: str) -> None:
    assert format_count(count, "label", "labels") == text


def test_failed_task_is_a_link_where_label_studio_is_known() -> None:
    with serve(label_studio_url="http://ls.example:8080") as client:
        body = {"tasks": [{"id": 8, "data": {}}], "label_config": TEXT_CONFIG}
        client.post("/predict", json={**body, "label_config": PATTERN_CONFIG})
        page = client.get("/pages/projects", headers=HTML).text
    assert '<a href="http://ls.example:8080/api/tasks/8/"' in page


PATTERN_CONFIG = TEXT_CONFIG.replace('"Word"', '"Date"')


def test_overview_says_what_a_model_runs_on_and_why() -> None:
    class Slow(WordBackend):
        def describe_engine(self, model: Any) -> str:
            return "OpenVINO in f32: <this CPU has no bf16>"

    with serve(Slow) as client:
        task = {"data": {"text": "one"}}
        client.post("/predict", json={"tasks": [task], "label_config": TEXT_CONFIG})
        page = client.get("/", headers=HTML).text
        [model] = client.get("/status").json()["models"]
    assert "OpenVINO in f32: &lt;this CPU has no bf16&gt;" in page
    assert model["engine"] == "OpenVINO in f32: <this CPU has no bf16>"


# The playground


def test_playground_predicts_as_predict_does(client: TestClient) -> None:
    answer = send(client, PATTERN_CONFIG, '{"text": "On 2024-05-03."}')
    assert answer.status_code == 200
    found = re.search(r'id="shown">(.*?)</script>', answer.text, re.DOTALL)
    assert found is not None
    shown = json.loads(found[1])
    body = {"tasks": [{"data": {"text": "On 2024-05-03."}}], "label_config": PATTERN_CONFIG}
    [expected] = client.post("/predict", json=body).json()["results"]
    assert shown["task"]["predictions"] == [{"id": 1, **expected}]
    assert shown["task"]["data"] == {"text": "On 2024-05-03."}
    assert '<mark class="c0">2024-05-03<span class="label"> Date</span></mark>' in answer.text
    assert "Nothing to complain about" in answer.text
    assert 'prelabel_tasks_total{outcome="predicted"} 2.0' in client.get("/metrics").text


@pytest.mark.parametrize(
    ("config", "data", "sentence"),
    [
        pytest.param("<View>", "{}", "label config", id="broken-config"),
        pytest.param("", "{}", "The label config is empty", id="no-config"),
        pytest.param(PATTERN_CONFIG, "{", "The data is not valid JSON", id="broken-data"),
        pytest.param(PATTERN_CONFIG, "3", "found int", id="data-no-object"),
        pytest.param(PATTERN_CONFIG, "[]", "found list", id="no-task"),
        pytest.param(PATTERN_CONFIG, '{"other": "a"}', "is missing in the task", id="other-key"),
        pytest.param(PATTERN_CONFIG, '{"text": {}}', "should be a string", id="wrong-type"),
        pytest.param(
            PATTERN_CONFIG.replace('value="$text"', 'value="$text" valueType="url"'),
            '{"text": "http://127.0.0.1:1/a.txt"}',
            "private",
            id="private-address",
        ),
        pytest.param(
            '<View><Rating name="r" toName="t"/><Text name="t" value="$text"/></View>',
            '{"text": "a"}',
            "the log says why",
            id="nothing-to-fill",
        ),
        pytest.param(PATTERN_CONFIG, '{"a": ' * 5000, "not valid JSON", id="deep"),
    ],
)
def test_bad_input_is_a_sentence(config: str, data: str, sentence: str, client: TestClient) -> None:
    answer = send(client, config, data)
    assert answer.status_code == 422
    assert sentence in message(answer.text).replace("&#39;", "'")
    assert 'id="shown"' not in answer.text


def test_form_over_the_limit_is_a_sentence() -> None:
    with serve(max_body_mb=0.1) as client:
        answer = send(client, PATTERN_CONFIG, json.dumps({"text": "a" * 200_000}))
    assert (answer.status_code, message(answer.text)) == (413, "The body is over MAX_BODY_MB=0.1")


def test_script_is_shown_as_text_wherever_it_stands(client: TestClient) -> None:
    escaped = SCRIPT.replace("<", "&lt;").replace(">", "&gt;")
    config = PATTERN_CONFIG.replace('value="Other"', f'value="{escaped}"')
    for data in (
        json.dumps({"text": f"{SCRIPT} 2024-05-03 </script>{SCRIPT}"}),
        json.dumps({SCRIPT: SCRIPT}),
        SCRIPT,
    ):
        answer = send(client, config, data)
        assert SCRIPT not in answer.text
        assert answer.text.count("</script>") <= 2  # our file, and the data of the editor
    with serve() as fresh:
        body = {"tasks": [{"id": SCRIPT, "data": {SCRIPT: 1}}], "label_config": config}
        fresh.post("/predict", json=body)
        page = fresh.get("/pages/projects", headers=HTML).text
        assert SCRIPT not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"Sec-Fetch-Site": "same-origin"}, 200, id="own-page"),
        pytest.param({"Origin": "http://testserver"}, 200, id="own-origin"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, 403, id="other-site"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, 403, id="other-host-of-the-site"),
        pytest.param(
            {"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"}, 403, id="contradiction"
        ),
        pytest.param({"Origin": "http://evil.example"}, 403, id="other-origin"),
        pytest.param({"Origin": "null"}, 403, id="sandboxed-frame"),
        pytest.param({}, 403, id="unknown"),
    ],
)
def test_form_of_another_site_is_refused(
    headers: dict[str, str], status: int, client: TestClient
) -> None:
    client.get("/pages/playground", headers=HTML)
    form = {"config": PATTERN_CONFIG, "data": '{"text": "a"}'}
    form["token"] = client.cookies["prelabel_form"]
    assert client.post("/pages/playground", data=form, headers=headers).status_code == status


@pytest.mark.parametrize("token", ["", "guessed", "é"])
def test_form_without_the_browsers_token_is_refused(token: str, client: TestClient) -> None:
    cookie = client.get("/pages/playground", headers=HTML).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    form = {"config": PATTERN_CONFIG, "data": '{"text": "a"}', "token": token}
    answer = client.post("/pages/playground", data=form, headers=SAME)
    assert (answer.status_code, 'id="shown"' in answer.text) == (403, False)


def test_backend_that_fails_is_a_sentence() -> None:
    with serve(WordBackend) as client:
        answer = send(client, TEXT_CONFIG, '{"text": "infer: broken"}')
    assert "failed on this task" in message(answer.text)


def test_editor_is_served_without_a_password_as_its_frame_can_send_none(tmp_path: Any) -> None:
    (tmp_path / "main.js").write_text("no editor")
    settings = {"label_studio_assets": tmp_path, "basic_auth_pass": SecretStr("hunter2")}
    with serve(**settings) as client:
        answer = client.get("/pages/editor/frame")
        page = client.get("/pages/playground", headers=HTML, auth=("", "hunter2")).text
    assert answer.status_code == 404
    assert "a drawing of our own" in page.lower()
