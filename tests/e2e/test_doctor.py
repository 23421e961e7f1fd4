"""`prelabel doctor` before a real Label Studio: every link broken in turn, and the remedy read."""

import base64
import hmac
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, get_args

import pytest
import trustme

from backends.pattern import PatternBackend
from shared.cli.doctor.check import Check
from shared.cli.doctor.connection import find_rule
from shared.cli.doctor.prediction import MEDIA_REMEDIES, PREDICTION_REMEDIES
from shared.cli.doctor.remedies import REMEDIES
from shared.errors import Cause

from ..cli.conftest import Command, prelabel  # noqa: F401  # a fixture
from ..media.web import Web, keeps_silent, says, web
from ..security.test_tls import closed_by
from .conftest import label_studio_environment
from .doctor_faults import (
    IMAGE,
    TEXT,
    Desk,
    Fake,
    LongerText,
    OtherLabel,
    OtherText,
    Raises,
    SlowToInfer,
    SlowToLoad,
    SlowWeights,
    Spots,
    Unloadable,
    UnloadableAtStart,
    proxy,
    serving,
)
from .label_studio import LabelStudio, free_port

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

NOWHERE = "http://nowhere.invalid:9090"
DATED = {"text": "on 3 May 2024"}
PIXEL = (
    "data:image/png;base64,"
    + base64.b64encode(
        bytes.fromhex(
            "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
            "0000000a4944415478da63f80f0001010100c1b1d5a60000000049454e44ae426082"
        )
    ).decode()
)
BODY = b'{"status": "UP", "model_version": "other"}'

Case = Callable[[Desk], list[Check]]
CASES: dict[str, list[Case]] = {}


def breaks(rule: str) -> Callable[[Case], Case]:
    """The case breaks a link, of which the doctor must say the rule's remedy."""

    def add(case: Case) -> Case:
        CASES.setdefault(rule, []).append(case)
        return case

    return add


@pytest.fixture
def desk(label_studio: LabelStudio) -> Desk:
    return Desk(label_studio)


# Label Studio's address and the token


@breaks("url_missing")
def no_url(desk: Desk) -> list[Check]:
    return desk.look(NOWHERE, home=None)


@breaks("key_missing")
def no_key(desk: Desk) -> list[Check]:
    return desk.look(NOWHERE, key=None)


@breaks("url_host")
def host_that_is_not_known(desk: Desk) -> list[Check]:
    return desk.look(NOWHERE, home="http://label-studio.invalid:8080")


@breaks("url_refused")
def wrong_port(desk: Desk) -> list[Check]:
    return desk.look(NOWHERE, home=f"http://127.0.0.1:{free_port()}")


@breaks("url_silent")
def silent(desk: Desk) -> list[Check]:
    with web() as other:
        other.pages["/api/version"] = keeps_silent(3)
        return desk.look(NOWHERE, home=other.url, timeout_seconds=0.5)


@contextmanager
def over_tls() -> Iterator[Web]:
    """A server with a certificate of a CA that nobody knows; nothing is asked of it."""
    with web() as other:
        yield closed_by(other, trustme.CA().issue_cert("127.0.0.1"))
    assert other.visits == []


@breaks("url_tls")
def label_studio_of_a_private_ca(desk: Desk) -> list[Check]:
    with over_tls() as other:
        return desk.look(NOWHERE, home=other.url)


@breaks("url_other")
def another_server(desk: Desk) -> list[Check]:
    with web() as other:
        other.pages["/api/version"] = says(b"<html>")
        return desk.look(NOWHERE, home=other.url)


@breaks("url_other")
def page_of_label_studio(desk: Desk) -> list[Check]:
    return desk.look(NOWHERE, home=f"{desk.server.url}/projects/1/data")


def of_version(release: str, desk: Desk) -> list[Check]:
    def instead(method: str, path: str) -> Any:
        return (200, {"release": release}) if path == "/api/version" else None

    with proxy(desk.server.url, instead) as home:
        return desk.look(NOWHERE, home=home)


@breaks("version_older")
def older_release(desk: Desk) -> list[Check]:
    return of_version("1.9.2", desk)


@breaks("version_newer")
def newer_release(desk: Desk) -> list[Check]:
    return of_version("1.24.0", desk)


def signed(desk: Desk, **claims: Any) -> str:
    """The desk's token with other claims, signed by nobody."""
    head, body, _ = desk.server.token.split(".")
    found = json.loads(base64.urlsafe_b64decode(body + "=="))
    body = base64.urlsafe_b64encode(json.dumps(found | claims).encode()).decode().rstrip("=")
    mac = hmac.digest(b"another key", f"{head}.{body}".encode(), "sha256")
    return f"{head}.{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


@breaks("token_short")
def access_token(desk: Desk) -> list[Check]:
    answer = desk.server.request("POST", "/api/token/refresh/", json={"refresh": desk.server.token})
    return desk.look(NOWHERE, key=answer["access"])


@breaks("token_expired")
def expired_token(desk: Desk) -> list[Check]:
    return desk.look(NOWHERE, key=signed(desk, exp=1_700_000_000))


@breaks("token_refused")
def token_of_another_label_studio(desk: Desk) -> list[Check]:
    return desk.look(NOWHERE, key=signed(desk))


@breaks("token_refused")
def legacy_token_that_is_none(desk: Desk) -> list[Check]:
    return desk.look(NOWHERE, key="0" * 40)


@breaks("token_kind_off")
def personal_tokens_switched_off(desk: Desk) -> list[Check]:
    desk.tokens(api_tokens_enabled=False)
    try:
        return desk.look(NOWHERE)
    finally:
        desk.tokens()


@breaks("token_legacy_off")
def legacy_tokens_switched_off(desk: Desk) -> list[Check]:
    key = desk.server.request("GET", "/api/current-user/token")["token"]
    return desk.look(NOWHERE, key=key)


@breaks("project_missing")
def no_such_project(desk: Desk) -> list[Check]:
    return desk.look(NOWHERE, 999_999)


@breaks("project_empty")
def project_without_tasks(desk: Desk) -> list[Check]:
    return desk.look(NOWHERE, desk.project())


# Our server, asked from here


@breaks("server_refused")
def nothing_serves(desk: Desk) -> list[Check]:
    return desk.look(f"http://127.0.0.1:{free_port()}")


@breaks("server_other")
def label_studio_as_the_server(desk: Desk) -> list[Check]:
    return desk.look(f"{desk.server.url}/projects")


@breaks("server_other")
def another_kind_of_ml_backend(desk: Desk) -> list[Check]:
    with web() as other:
        other.pages |= {"/health": says(BODY), "/": says(BODY)}
        return desk.look(other.url)


@breaks("server_tls")
def server_of_a_private_ca(desk: Desk) -> list[Check]:
    with over_tls() as other:
        return desk.look(other.url)


@breaks("server_auth")
def another_password(desk: Desk) -> list[Check]:
    with serving(Fake, BASIC_AUTH_USER="ann", BASIC_AUTH_PASS="one") as url:
        return desk.look(url, basic_auth_user="ann", basic_auth_pass="two")


@breaks("server_path")
def backend_that_does_not_serve(desk: Desk) -> list[Check]:
    with serving(Fake) as url:
        return desk.look(f"{url}/ocr")


@breaks("model_failed")
def model_that_cannot_be_loaded(desk: Desk) -> list[Check]:
    with serving(UnloadableAtStart) as url:
        desk.project(TEXT, DATED, url=url)  # /setup waits for what the start tries
        return desk.look(url)


@breaks("model_loading")
def model_on_its_way(desk: Desk) -> list[Check]:
    with serving(SlowToLoad) as url:
        return desk.look(url)


@breaks("unexpected")
def answer_that_makes_no_sense(desk: Desk) -> list[Check]:
    with web() as other:
        index = b'{"server": "prelabel 9", "backends": ["x"]}'
        page = says(index, Content_Type="application/json")
        other.pages |= {"/": page, "/health": says(BODY), "/ready": says(b"[]")}
        return desk.look(other.url)


# Our server, asked by Label Studio


@breaks("not_connected")
def no_model_connected(desk: Desk) -> list[Check]:
    with serving(Fake) as url:
        return desk.look(url, desk.project(TEXT, DATED))


@breaks("connection_refused")
def connected_server_that_is_gone(desk: Desk) -> list[Check]:
    with serving(Fake) as url:
        project = desk.project(TEXT, DATED, url=url)
    return desk.look(url, project)


@breaks("connection_host")
def connected_host_that_is_not_known(desk: Desk) -> list[Check]:
    with serving(Fake) as url:
        project = desk.project(TEXT, DATED, url=url)
        desk.move(project, NOWHERE)
        return desk.look(url, project)


@breaks("connection_tls")
def connected_server_of_a_private_ca(desk: Desk) -> list[Check]:
    with serving(Fake) as url, over_tls() as other:
        project = desk.project(TEXT, DATED, url=url)
        desk.move(project, other.url)
        return desk.look(url, project)


@breaks("connection_auth")
def label_studio_sends_no_password(desk: Desk) -> list[Check]:
    with serving(Fake) as url:
        project = desk.project(TEXT, DATED, url=url)
    port = int(url.rsplit(":", 1)[1])
    with serving(Fake, port=port, BASIC_AUTH_USER="ann", BASIC_AUTH_PASS="one"):
        return desk.look(url, project, basic_auth_user="ann", basic_auth_pass="one")


@breaks("connection_setup")
def other_program_at_the_address(desk: Desk) -> list[Check]:
    with web() as other:
        other.pages |= {"/health": says(BODY), "/setup": says(BODY)}
        project = desk.project(TEXT, DATED, url=other.url)
        other.pages["/setup"] = says(b"{}", 500)
        return desk.look(other.url, project)


@breaks("connection_slow")
def setup_after_too_long(desk: Desk) -> list[Check]:
    with web() as other:
        other.pages |= {"/health": says(BODY), "/setup": says(BODY)}
        project = desk.project(TEXT, DATED, url=other.url)
        other.pages["/setup"] = keeps_silent(5)
        return desk.look(NOWHERE, project)


@breaks("connection_elsewhere")
def another_server_connected(desk: Desk) -> list[Check]:
    with serving(Fake) as url, web() as other:
        other.pages |= {"/health": says(BODY), "/setup": says(BODY)}
        return desk.look(url, desk.project(TEXT, DATED, url=other.url))


@breaks("version_chosen")
def model_in_the_place_of_a_version(desk: Desk) -> list[Check]:
    """As it is once a model is connected; the hint goes when a version is chosen."""
    with serving(Fake) as url:
        project = desk.project(TEXT, DATED, url=url)
        [before] = [check for check in desk.look(url, project) if check.link == "Versions"]
        desk.server.retrieve_predictions(project)
        checks = desk.look(url, project)
        [stored] = desk.server.predictions(project)
        choice = {"model_version": stored["model_version"]}
        desk.server.request("PATCH", f"/api/projects/{project}/", json=choice)
        [after] = [check for check in desk.look(url, project) if check.link == "Versions"]
    assert (before.state, after.state) == ("ok", "ok")
    [hint] = [check for check in checks if check.link == "Versions"]
    assert hint.found.endswith(f'shows "{url}", which is not a version of its 1 stored prediction')
    assert stored["model_version"] in hint.remedy
    return checks


@breaks("version_chosen")
def predictions_that_are_switched_off(desk: Desk) -> list[Check]:
    with serving(Fake) as url:
        project = desk.project(TEXT, DATED, url=url)
        desk.server.retrieve_predictions(project)
        off = {"show_collab_predictions": False}
        desk.server.request("PATCH", f"/api/projects/{project}/", json=off)
        return desk.look(url, project)


# The label config


def under(config: str, desk: Desk, data: Any = DATED) -> list[Check]:
    with serving(PatternBackend, Spots) as url:
        return desk.look(url, desk.project(config, data, url=url))


@breaks("config")
def tags_too_deep(desk: Desk) -> list[Check]:
    config = TEXT.replace("<View>", "<View>" * 101).replace("</View>", "</View>" * 101)
    with serving(Fake) as url:
        return desk.look(url, desk.project(config, DATED))


@breaks("nothing_filled")
def choices_with_a_backend_of_spans(desk: Desk) -> list[Check]:
    choices = '<Choices name="c" toName="text"><Choice value="a"/><Choice value="b"/></Choices>'
    config = f'<View><Text name="text" value="$text"/>{choices}</View>'
    return under(config, desk)


@breaks("tag_not_filled")
def one_tag_of_two(desk: Desk) -> list[Check]:
    rating = '<Rating name="stars" toName="text"/></View>'
    return under(TEXT.replace("</View>", rating), desk)


@breaks("tag_problem")
def tag_left_to_a_backend_that_does_not_serve(desk: Desk) -> list[Check]:
    chosen = '<Labels name="other" toName="text" model_backend="ner"><Label value="A"/></Labels>'
    return under(TEXT.replace("</View>", f"{chosen}</View>"), desk)


@breaks("label_unfilled")
def label_of_no_class(desk: Desk) -> list[Check]:
    return under(TEXT.replace("</Labels>", '<Label value="Planet"/></Labels>'), desk)


@breaks("predict_unfillable")
def only_a_label_of_no_class(desk: Desk) -> list[Check]:
    return under(TEXT.replace('"Date"', '"Planet"'), desk)


# The task's media, as the server reads it


def showing(image: Any, desk: Desk, **variables: str) -> list[Check]:
    with serving(Spots, **variables) as url:
        return desk.look(url, desk.project(IMAGE, {"image": image}, url=url))


@breaks("media_key")
def several_images_for_a_tag_of_one(desk: Desk) -> list[Check]:
    return showing([PIXEL, PIXEL], desk)


@breaks("media_value")
def address_that_is_empty(desk: Desk) -> list[Check]:
    return showing("", desk)


@breaks("media_url")
def upload_without_label_studio_url(desk: Desk) -> list[Check]:
    return showing("/data/upload/1/a.png", desk)


@breaks("media_token")
def upload_without_a_good_token(desk: Desk) -> list[Check]:
    key = signed(desk)
    variables = {"LABEL_STUDIO_URL": desk.server.url, "LABEL_STUDIO_API_KEY": key}
    return showing("/data/upload/1/a.png", desk, **variables)


@breaks("media_gone")
def upload_that_was_deleted(desk: Desk) -> list[Check]:
    variables = {"LABEL_STUDIO_URL": desk.server.url, "LABEL_STUDIO_API_KEY": desk.server.token}
    return showing("/data/upload/1/a.png", desk, **variables)


@breaks("media_gone")
def address_that_leads_nowhere(desk: Desk) -> list[Check]:
    with web() as other:
        return showing(f"{other.url}/a.png", desk, ALLOWED_NETWORKS="127.0.0.0/8")


@breaks("media_gone")
def address_with_one_slash(desk: Desk) -> list[Check]:
    return showing("http:/127.0.0.1/a.png", desk)


@breaks("media_hosts")
def host_that_is_not_allowed(desk: Desk) -> list[Check]:
    return showing("http://127.0.0.1:1/a.png", desk, ALLOWED_HOSTS="*.example.org")


@breaks("media_private")
def private_network(desk: Desk) -> list[Check]:
    return showing("http://127.0.0.1:1/a.png", desk)


@breaks("media_unreachable")
def address_where_nothing_listens(desk: Desk) -> list[Check]:
    address = f"http://127.0.0.1:{free_port()}/a.png"
    return showing(address, desk, ALLOWED_NETWORKS="127.0.0.0/8")


@breaks("media_local")
def file_that_is_not_in_the_folder(desk: Desk) -> list[Check]:
    root = str(desk.server.folder)
    return showing("/data/local-files/?d=none.png", desk, LOCAL_FILES_ROOT=root)


@breaks("media_size")
def file_that_is_too_large(desk: Desk) -> list[Check]:
    return showing(PIXEL, desk, MAX_MEDIA_MB="0.00001")


@breaks("media_unreadable")
def file_that_is_no_image(desk: Desk) -> list[Check]:
    return showing("data:image/png;base64,AAAA", desk)


# The prediction


def with_backend(backend: type[Fake], desk: Desk, **variables: str) -> list[Check]:
    with serving(backend, **variables) as url:
        return desk.look(url, desk.project(TEXT, DATED, url=url))


@breaks("predict_model")
def model_that_fails_when_it_is_needed(desk: Desk) -> list[Check]:
    return with_backend(Unloadable, desk)


@breaks("predict_deadline")
def model_that_takes_too_long(desk: Desk) -> list[Check]:
    return with_backend(SlowToInfer, desk, PREDICT_DEADLINE="0.3")


@breaks("predict_failed")
def model_that_raises(desk: Desk) -> list[Check]:
    return with_backend(Raises, desk)


@breaks("predict_labels")
def labels_of_the_task_that_are_strings(desk: Desk) -> list[Check]:
    listed = TEXT.replace('><Label value="Date"/></Labels>', ' value="$labels"/>')
    with serving(Fake) as url:
        project = desk.project(listed, {"text": "a text", "labels": ["Date"]}, url=url)
        return desk.look(url, project)


@breaks("predict_refused")
def request_that_is_too_large(desk: Desk) -> list[Check]:
    with serving(Fake, MAX_BODY_MB="0.01") as url:
        project = desk.project(TEXT, {"text": "long " * 10_000}, url=url)
        return desk.look(url, project)


@breaks("predict_version")
def version_that_changes(desk: Desk) -> list[Check]:
    with serving(SlowWeights) as url:
        return desk.look(url, desk.project(TEXT, DATED))


@breaks("dropped")
def label_that_the_config_lacks(desk: Desk) -> list[Check]:
    return with_backend(OtherLabel, desk)


@breaks("invalid")
def span_past_the_end(desk: Desk) -> list[Check]:
    return with_backend(LongerText, desk)


@breaks("doubtful")
def text_that_does_not_stand_there(desk: Desk) -> list[Check]:
    return with_backend(OtherText, desk)


@breaks("nothing_found")
def text_without_a_date(desk: Desk) -> list[Check]:
    return under(TEXT, desk, {"text": "nothing"})


# Storing it


def behind_a_proxy(answer: tuple[int, Any], desk: Desk) -> list[Check]:
    def instead(method: str, path: str) -> Any:
        return answer if method == "POST" and "predictions" in path else None

    with serving(Fake) as url, proxy(desk.server.url, instead) as home:
        project = desk.project(TEXT, DATED, url=url)
        return desk.look(url, project, home=home, push=True)


@breaks("push_refused")
def proxy_that_refuses_post(desk: Desk) -> list[Check]:
    return behind_a_proxy((413, {"detail": "Request Entity Too Large"}), desk)


@breaks("push_lost")
def proxy_that_swallows_it(desk: Desk) -> list[Check]:
    return behind_a_proxy((201, {"created": 1}), desk)


# The tests

ELSEWHERE = {"setting", "connection_blocked"}
"""Rules whose tests need more than a case: see below."""


def test_every_remedy_has_its_test() -> None:
    assert CASES.keys() | ELSEWHERE == REMEDIES.keys()


def test_every_cause_has_its_remedy() -> None:
    assert set(get_args(Cause)) <= MEDIA_REMEDIES.keys()
    assert {*MEDIA_REMEDIES.values(), *PREDICTION_REMEDIES.values()} <= REMEDIES.keys()


@pytest.mark.parametrize(
    ("rule", "case"),
    [
        pytest.param(rule, case, id=f"{rule}-{case.__name__}")
        for rule, cases in CASES.items()
        for case in cases
    ],
)
def test_remedy(rule: str, case: Case, desk: Desk) -> None:
    checks = case(desk)
    found = [check for check in checks if check.rule == rule]
    assert found, [check for check in checks if check.state != "ok"]
    assert all(check.remedy for check in found)
    assert desk.server.token not in str(checks)
    before = checks[: checks.index(found[0])]
    others = {"not_connected", "server_refused", "model_failed", "connection_elsewhere"}
    assert [c for c in before if c.state == "broken" and c.rule not in others] == []


@pytest.mark.parametrize(
    ("why", "rule"),
    [
        (
            "500 Server Error: Internal Server Error for url: http://127.0.0.1:40121/setup",
            "connection_setup",
        ),
        ("401 Client Error: Unauthorized for url: http://resolver:9090/setup", "connection_auth"),
        ("Can't resolve hostname incorrect-401", "connection_host"),
    ],
)
def test_an_address_says_nothing_of_the_reason(why: str, rule: str) -> None:
    """A port with 401 in it was once taken for a wrong password."""
    assert find_rule(why) == rule


def test_local_addresses_are_blocked() -> None:
    """As Label Studio is by default: a model that was connected before an update is cut off."""
    settings = {"ML_BLOCK_LOCAL_IP": "true", "SSRF_PROTECTION_ENABLED": "true"}
    with LabelStudio(label_studio_environment(), settings=settings) as server, serving(Fake) as url:
        desk = Desk(server)
        project = desk.project(TEXT, DATED)
        row = {"state": "CO", "url": url, "title": "old", "auth_method": "NONE"}
        row |= {"project_id": str(project), "timeout": "100", "is_interactive": "0"}
        row |= {"auto_update": "1", "created_at": "2026-01-01", "updated_at": "2026-01-01"}
        with closing(sqlite3.connect(server.folder / "label_studio.sqlite3")) as database:
            places = ", ".join("?" * len(row))
            names = ", ".join(row)
            line = f"insert into ml_mlbackend ({names}) values ({places})"
            database.execute(line, list(row.values()))
            database.commit()
        [check] = [check for check in desk.look(url, project) if check.state == "broken"]
    assert (check.link, check.rule) == ("Connection", "connection_blocked")
    assert "ML_BLOCK_LOCAL_IP=false" in check.remedy
    assert "SSRF_PROTECTION_ENABLED=false" in check.remedy


@pytest.fixture
def given(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("LABEL_STUDIO_URL", desk.server.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", desk.server.token)
    return desk


def test_the_whole_way(given: Desk, prelabel: Command) -> None:  # noqa: F811
    with serving(PatternBackend) as url:
        project = given.project(TEXT, DATED, url=url)
        ran = prelabel("doctor", "--url", url, "--project", project, "--push")
    assert ran.status == 0, ran.out
    signs = [line[0] for line in ran.out.splitlines() if line[0] != " "]
    assert set(signs) == {"✓"}
    assert len(signs) == 14
    assert given.server.token not in ran.out
    [stored] = given.server.predictions(project)
    assert stored["result"][0]["value"]["text"] == "3 May 2024"


def test_pushing_again_stores_nothing_twice(given: Desk, prelabel: Command) -> None:  # noqa: F811
    with serving(PatternBackend) as url:
        project = given.project(TEXT, DATED)
        for _ in range(2):
            prelabel("doctor", "--url", url, "--project", project, "--push")
    assert len(given.server.predictions(project)) == 1


def test_a_cross_is_exit_status_1(given: Desk, prelabel: Command) -> None:  # noqa: F811
    ran = prelabel("doctor", "--url", f"http://127.0.0.1:{free_port()}", "--format", "json")
    assert ran.status == 1
    checks = [json.loads(line) for line in ran.out.splitlines()]
    states = {check["link"]: check["state"] for check in checks}
    assert states["Label Studio"] == states["Token"] == "ok"
    assert states["Server"] == "broken"
    assert states["Prediction"] == "skipped"


def test_setting_that_cannot_be_read(
    prelabel: Command,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", "localhost:8080")
    ran = prelabel("doctor")
    assert ran.status == 1
    assert "✗ Settings" in ran.out
    assert "LABEL_STUDIO_URL" in ran.out
    assert REMEDIES["setting"] in ran.out


def test_legacy_token_that_is_allowed(desk: Desk) -> None:
    key = desk.server.request("GET", "/api/current-user/token")["token"]
    desk.tokens(legacy_api_tokens_enabled=True)
    try:
        checks = desk.look(NOWHERE, key=key)
    finally:
        desk.tokens()
    [token] = [check for check in checks if check.link == "Token"]
    assert (token.state, token.rule) == ("ok", "")
    assert "legacy" in token.found


def test_revoked_token(desk: Desk) -> None:
    other = desk.server.request("POST", "/api/token/rotate/", json={"refresh": desk.server.token})
    old, desk.server.token = desk.server.token, other["refresh"]
    [token] = [check for check in desk.look(NOWHERE, key=old) if check.link == "Token"]
    assert token.rule == "token_refused"
    assert Path(desk.server.folder).is_dir()
