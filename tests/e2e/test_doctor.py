"""`prelabel doctor` with a real Label Studio: each link is broken in turn, and the remedy read."""

import base64
import hmac
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import pytest
import trustme

from backends.pattern import PatternBackend
from shared.backend.claim import ModelSpec
from shared.doctor import training as doctor_training
from shared.doctor.check import Check
from shared.doctor.connection import find_rule
from shared.doctor.prediction import MEDIA_REMEDIES, PREDICTION_REMEDIES
from shared.doctor.remedies import REMEDIES
from shared.errors import Cause
from shared.jobs.ending import Ending
from shared.jobs.job import JobState
from shared.jobs.job_store import JobStore
from shared.label_studio.project_key import project_key
from shared.server import training_triggers

from ..cli.conftest import Command, prelabel  # noqa: F401  # a fixture
from ..media.web import Web, keeps_silent, says, web
from ..security.test_tls import use_tls
from ..training.words import CONFIG as WORDS_CONFIG
from ..training.words import WordsBackend, choice
from .conftest import label_studio_environment
from .doctor_faults import (
    IMAGE,
    TEXT,
    DoctorHarness,
    FakeBackend,
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
    WithoutPackage,
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

Case = Callable[[DoctorHarness], list[Check]]
CASES: dict[str, list[Case]] = {}


def breaks(rule: str) -> Callable[[Case], Case]:
    """Register a case that breaks a link: the doctor must name the rule's remedy."""

    def add(case: Case) -> Case:
        CASES.setdefault(rule, []).append(case)
        return case

    return add


@pytest.fixture
def harness(label_studio: LabelStudio) -> DoctorHarness:
    return DoctorHarness(label_studio)


# Label Studio's address and the token


@breaks("url_missing")
def no_url(harness: DoctorHarness) -> list[Check]:
    return harness.run_doctor(NOWHERE, label_studio_url=None)


@breaks("key_missing")
def no_key(harness: DoctorHarness) -> list[Check]:
    return harness.run_doctor(NOWHERE, token=None)


@breaks("url_host")
def host_that_is_not_known(harness: DoctorHarness) -> list[Check]:
    return harness.run_doctor(NOWHERE, label_studio_url="http://label-studio.invalid:8080")


@breaks("url_refused")
def wrong_port(harness: DoctorHarness) -> list[Check]:
    return harness.run_doctor(NOWHERE, label_studio_url=f"http://127.0.0.1:{free_port()}")


@breaks("url_silent")
def silent(harness: DoctorHarness) -> list[Check]:
    with web() as other:
        other.pages["/api/version"] = keeps_silent(3)
        return harness.run_doctor(NOWHERE, label_studio_url=other.url, timeout_seconds=0.5)


@contextmanager
def over_tls() -> Iterator[Web]:
    """A server whose certificate is signed by an unknown CA; it gets no request."""
    with web() as other:
        yield use_tls(other, trustme.CA().issue_cert("127.0.0.1"))
    assert other.visits == []


@breaks("url_tls")
def label_studio_of_a_private_ca(harness: DoctorHarness) -> list[Check]:
    with over_tls() as other:
        return harness.run_doctor(NOWHERE, label_studio_url=other.url)


@breaks("url_other")
def another_server(harness: DoctorHarness) -> list[Check]:
    with web() as other:
        other.pages["/api/version"] = says(b"<html>")
        return harness.run_doctor(NOWHERE, label_studio_url=other.url)


@breaks("url_other")
def page_of_label_studio(harness: DoctorHarness) -> list[Check]:
    return harness.run_doctor(NOWHERE, label_studio_url=f"{harness.server.url}/projects/1/data")


def check_release(release: str, harness: DoctorHarness) -> list[Check]:
    def override(method: str, path: str) -> Any:
        return (200, {"release": release}) if path == "/api/version" else None

    with proxy(harness.server.url, override) as home:
        return harness.run_doctor(NOWHERE, label_studio_url=home)


@breaks("version_older")
def older_release(harness: DoctorHarness) -> list[Check]:
    return check_release("1.9.2", harness)


@breaks("version_newer")
def newer_release(harness: DoctorHarness) -> list[Check]:
    return check_release("1.24.0", harness)


def sign_token(harness: DoctorHarness, **claims: Any) -> str:
    """Return the harness's token with other claims, sign_token by nobody."""
    head, body, _ = harness.server.token.split(".")
    found = json.loads(base64.urlsafe_b64decode(body + "=="))
    body = base64.urlsafe_b64encode(json.dumps(found | claims).encode()).decode().rstrip("=")
    mac = hmac.digest(b"another key", f"{head}.{body}".encode(), "sha256")
    return f"{head}.{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


@breaks("token_short")
def access_token(harness: DoctorHarness) -> list[Check]:
    answer = harness.server.request(
        "POST", "/api/token/refresh/", json={"refresh": harness.server.token}
    )
    return harness.run_doctor(NOWHERE, token=answer["access"])


@breaks("token_expired")
def expired_token(harness: DoctorHarness) -> list[Check]:
    return harness.run_doctor(NOWHERE, token=sign_token(harness, exp=1_700_000_000))


@breaks("token_refused")
def token_of_another_label_studio(harness: DoctorHarness) -> list[Check]:
    return harness.run_doctor(NOWHERE, token=sign_token(harness))


@breaks("token_refused")
def legacy_token_that_is_none(harness: DoctorHarness) -> list[Check]:
    return harness.run_doctor(NOWHERE, token="0" * 40)


@breaks("token_kind_off")
def personal_tokens_switched_off(harness: DoctorHarness) -> list[Check]:
    harness.enable_tokens(api_tokens_enabled=False)
    try:
        return harness.run_doctor(NOWHERE)
    finally:
        harness.enable_tokens()


@breaks("token_legacy_off")
def legacy_tokens_switched_off(harness: DoctorHarness) -> list[Check]:
    key = harness.server.request("GET", "/api/current-user/token")["token"]
    return harness.run_doctor(NOWHERE, token=key)


@breaks("project_missing")
def no_such_project(harness: DoctorHarness) -> list[Check]:
    return harness.run_doctor(NOWHERE, 999_999)


@breaks("project_empty")
def project_without_tasks(harness: DoctorHarness) -> list[Check]:
    return harness.run_doctor(NOWHERE, harness.create_project())


# Our server, asked from here


@breaks("server_refused")
def nothing_serves(harness: DoctorHarness) -> list[Check]:
    return harness.run_doctor(f"http://127.0.0.1:{free_port()}")


@breaks("server_other")
def label_studio_as_the_server(harness: DoctorHarness) -> list[Check]:
    return harness.run_doctor(f"{harness.server.url}/projects")


@breaks("server_other")
def another_kind_of_ml_backend(harness: DoctorHarness) -> list[Check]:
    with web() as other:
        other.pages |= {"/health": says(BODY), "/": says(BODY)}
        return harness.run_doctor(other.url)


@breaks("server_tls")
def server_of_a_private_ca(harness: DoctorHarness) -> list[Check]:
    with over_tls() as other:
        return harness.run_doctor(other.url)


@breaks("server_auth")
def another_password(harness: DoctorHarness) -> list[Check]:
    with serving(FakeBackend, BASIC_AUTH_USER="ann", BASIC_AUTH_PASS="one") as url:
        return harness.run_doctor(url, basic_auth_user="ann", basic_auth_pass="two")


@breaks("server_path")
def backend_that_does_not_serve(harness: DoctorHarness) -> list[Check]:
    with serving(FakeBackend) as url:
        return harness.run_doctor(f"{url}/ocr")


@breaks("model_failed")
def model_that_cannot_be_loaded(harness: DoctorHarness) -> list[Check]:
    with serving(UnloadableAtStart) as url:
        harness.create_project(TEXT, DATED, url=url)  # /setup waits for what the start tries
        return harness.run_doctor(url)


@breaks("model_loading")
def model_on_its_way(harness: DoctorHarness) -> list[Check]:
    with serving(SlowToLoad) as url:
        return harness.run_doctor(url)


@breaks("unexpected")
def answer_that_makes_no_sense(harness: DoctorHarness) -> list[Check]:
    with web() as other:
        index = b'{"server": "prelabel 9", "backends": ["x"]}'
        page = says(index, Content_Type="application/json")
        other.pages |= {"/": page, "/health": says(BODY), "/ready": says(b"[]")}
        return harness.run_doctor(other.url)


# Our server, asked by Label Studio


@breaks("not_connected")
def no_model_connected(harness: DoctorHarness) -> list[Check]:
    with serving(FakeBackend) as url:
        return harness.run_doctor(url, harness.create_project(TEXT, DATED))


@breaks("connection_refused")
def connected_server_that_is_gone(harness: DoctorHarness) -> list[Check]:
    with serving(FakeBackend) as url:
        project = harness.create_project(TEXT, DATED, url=url)
    return harness.run_doctor(url, project)


@breaks("connection_host")
def connected_host_that_is_not_known(harness: DoctorHarness) -> list[Check]:
    with serving(FakeBackend) as url:
        project = harness.create_project(TEXT, DATED, url=url)
        harness.move_backend(project, NOWHERE)
        return harness.run_doctor(url, project)


@breaks("connection_tls")
def connected_server_of_a_private_ca(harness: DoctorHarness) -> list[Check]:
    with serving(FakeBackend) as url, over_tls() as other:
        project = harness.create_project(TEXT, DATED, url=url)
        harness.move_backend(project, other.url)
        return harness.run_doctor(url, project)


@breaks("connection_auth")
def label_studio_sends_no_password(harness: DoctorHarness) -> list[Check]:
    with serving(FakeBackend) as url:
        project = harness.create_project(TEXT, DATED, url=url)
    port = int(url.rsplit(":", 1)[1])
    with serving(FakeBackend, port=port, BASIC_AUTH_USER="ann", BASIC_AUTH_PASS="one"):
        return harness.run_doctor(url, project, basic_auth_user="ann", basic_auth_pass="one")


@breaks("connection_setup")
def other_program_at_the_address(harness: DoctorHarness) -> list[Check]:
    with web() as other:
        other.pages |= {"/health": says(BODY), "/setup": says(BODY)}
        project = harness.create_project(TEXT, DATED, url=other.url)
        other.pages["/setup"] = says(b"{}", 500)
        return harness.run_doctor(other.url, project)


@breaks("connection_slow")
def setup_after_too_long(harness: DoctorHarness) -> list[Check]:
    with web() as other:
        other.pages |= {"/health": says(BODY), "/setup": says(BODY)}
        project = harness.create_project(TEXT, DATED, url=other.url)
        other.pages["/setup"] = keeps_silent(5)
        return harness.run_doctor(NOWHERE, project)


@breaks("connection_elsewhere")
def another_server_connected(harness: DoctorHarness) -> list[Check]:
    with serving(FakeBackend) as url, web() as other:
        other.pages |= {"/health": says(BODY), "/setup": says(BODY)}
        return harness.run_doctor(url, harness.create_project(TEXT, DATED, url=other.url))


@breaks("version_chosen")
def model_in_the_place_of_a_version(harness: DoctorHarness) -> list[Check]:
    """A project shows the connected model; the warning goes when a version is chosen."""
    with serving(FakeBackend) as url:
        project = harness.create_project(TEXT, DATED, url=url)
        [before] = [check for check in harness.run_doctor(url, project) if check.link == "Versions"]
        harness.server.retrieve_predictions(project)
        checks = harness.run_doctor(url, project)
        [stored] = harness.server.predictions(project)
        choice = {"model_version": stored["model_version"]}
        harness.server.request("PATCH", f"/api/projects/{project}/", json=choice)
        [after] = [check for check in harness.run_doctor(url, project) if check.link == "Versions"]
    assert (before.state, after.state) == ("ok", "ok")
    [hint] = [check for check in checks if check.link == "Versions"]
    assert hint.found.endswith(f'shows "{url}", which is not a version of its 1 stored prediction')
    assert stored["model_version"] in hint.remedy
    return checks


@breaks("version_chosen")
def predictions_that_are_switched_off(harness: DoctorHarness) -> list[Check]:
    with serving(FakeBackend) as url:
        project = harness.create_project(TEXT, DATED, url=url)
        harness.server.retrieve_predictions(project)
        off = {"show_collab_predictions": False}
        harness.server.request("PATCH", f"/api/projects/{project}/", json=off)
        return harness.run_doctor(url, project)


# The label config


def check_config(config: str, harness: DoctorHarness, data: Any = DATED) -> list[Check]:
    with serving(PatternBackend, Spots) as url:
        return harness.run_doctor(url, harness.create_project(config, data, url=url))


@breaks("config")
def tags_too_deep(harness: DoctorHarness) -> list[Check]:
    config = TEXT.replace("<View>", "<View>" * 101).replace("</View>", "</View>" * 101)
    with serving(FakeBackend) as url:
        return harness.run_doctor(url, harness.create_project(config, DATED))


@breaks("nothing_filled")
def choices_with_a_backend_of_spans(harness: DoctorHarness) -> list[Check]:
    choices = '<Choices name="c" toName="text"><Choice value="a"/><Choice value="b"/></Choices>'
    config = f'<View><Text name="text" value="$text"/>{choices}</View>'
    return check_config(config, harness)


@breaks("tag_not_filled")
def one_tag_of_two(harness: DoctorHarness) -> list[Check]:
    rating = '<Rating name="stars" toName="text"/></View>'
    return check_config(TEXT.replace("</View>", rating), harness)


@breaks("tag_problem")
def tag_left_to_a_backend_that_does_not_serve(harness: DoctorHarness) -> list[Check]:
    chosen = '<Labels name="other" toName="text" model_backend="ner"><Label value="A"/></Labels>'
    return check_config(TEXT.replace("</View>", f"{chosen}</View>"), harness)


@breaks("label_unfilled")
def label_of_no_class(harness: DoctorHarness) -> list[Check]:
    return check_config(TEXT.replace("</Labels>", '<Label value="Planet"/></Labels>'), harness)


@breaks("predict_unfillable")
def only_a_label_of_no_class(harness: DoctorHarness) -> list[Check]:
    return check_config(TEXT.replace('"Date"', '"Planet"'), harness)


# The task's media, as the server reads it


def check_image(image: Any, harness: DoctorHarness, **variables: str) -> list[Check]:
    with serving(Spots, **variables) as url:
        return harness.run_doctor(url, harness.create_project(IMAGE, {"image": image}, url=url))


@breaks("media_key")
def several_images_for_a_tag_of_one(harness: DoctorHarness) -> list[Check]:
    return check_image([PIXEL, PIXEL], harness)


@breaks("media_value")
def address_that_is_empty(harness: DoctorHarness) -> list[Check]:
    return check_image("", harness)


@breaks("media_url")
def upload_without_label_studio_url(harness: DoctorHarness) -> list[Check]:
    return check_image("/data/upload/1/a.png", harness)


@breaks("media_token")
def upload_without_a_good_token(harness: DoctorHarness) -> list[Check]:
    key = sign_token(harness)
    variables = {"LABEL_STUDIO_URL": harness.server.url, "LABEL_STUDIO_API_KEY": key}
    return check_image("/data/upload/1/a.png", harness, **variables)


@breaks("media_gone")
def upload_that_was_deleted(harness: DoctorHarness) -> list[Check]:
    variables = {
        "LABEL_STUDIO_URL": harness.server.url,
        "LABEL_STUDIO_API_KEY": harness.server.token,
    }
    return check_image("/data/upload/1/a.png", harness, **variables)


@breaks("media_gone")
def address_that_leads_nowhere(harness: DoctorHarness) -> list[Check]:
    with web() as other:
        return check_image(f"{other.url}/a.png", harness, ALLOWED_NETWORKS="127.0.0.0/8")


@breaks("media_gone")
def address_with_one_slash(harness: DoctorHarness) -> list[Check]:
    return check_image("http:/127.0.0.1/a.png", harness)


@breaks("media_hosts")
def host_that_is_not_allowed(harness: DoctorHarness) -> list[Check]:
    return check_image("http://127.0.0.1:1/a.png", harness, ALLOWED_HOSTS="*.example.org")


@breaks("media_buckets")
def bucket_that_is_not_allowed(harness: DoctorHarness) -> list[Check]:
    return check_image("hdfs://photos/a.png", harness, ALLOWED_BUCKETS="s3://others")


@breaks("media_private")
def private_network(harness: DoctorHarness) -> list[Check]:
    return check_image("http://127.0.0.1:1/a.png", harness)


@breaks("media_unreachable")
def address_where_nothing_listens(harness: DoctorHarness) -> list[Check]:
    address = f"http://127.0.0.1:{free_port()}/a.png"
    return check_image(address, harness, ALLOWED_NETWORKS="127.0.0.0/8")


@breaks("media_local")
def file_that_is_not_in_the_folder(harness: DoctorHarness) -> list[Check]:
    root = str(harness.server.folder)
    return check_image("/data/local-files/?d=none.png", harness, LOCAL_FILES_ROOT=root)


@breaks("media_size")
def file_that_is_too_large(harness: DoctorHarness) -> list[Check]:
    return check_image(PIXEL, harness, MAX_MEDIA_MB="0.00001")


@breaks("media_unreadable")
def file_that_is_no_image(harness: DoctorHarness) -> list[Check]:
    return check_image("data:image/png;base64,AAAA", harness)


# The prediction


def check_backend(
    backend: type[FakeBackend], harness: DoctorHarness, **variables: str
) -> list[Check]:
    with serving(backend, **variables) as url:
        return harness.run_doctor(url, harness.create_project(TEXT, DATED, url=url))


@breaks("predict_model")
def model_that_fails_when_it_is_needed(harness: DoctorHarness) -> list[Check]:
    return check_backend(Unloadable, harness)


@breaks("predict_deadline")
def model_that_takes_too_long(harness: DoctorHarness) -> list[Check]:
    return check_backend(SlowToInfer, harness, PREDICT_DEADLINE="0.3")


@breaks("predict_failed")
def model_that_raises(harness: DoctorHarness) -> list[Check]:
    return check_backend(Raises, harness)


@breaks("predict_labels")
def labels_of_the_task_that_are_strings(harness: DoctorHarness) -> list[Check]:
    listed = TEXT.replace('><Label value="Date"/></Labels>', ' value="$labels"/>')
    with serving(FakeBackend) as url:
        project = harness.create_project(listed, {"text": "a text", "labels": ["Date"]}, url=url)
        return harness.run_doctor(url, project)


@breaks("predict_refused")
def request_that_is_too_large(harness: DoctorHarness) -> list[Check]:
    with serving(FakeBackend, MAX_BODY_MB="0.01") as url:
        project = harness.create_project(TEXT, {"text": "long " * 10_000}, url=url)
        return harness.run_doctor(url, project)


@breaks("predict_version")
def version_that_changes(harness: DoctorHarness) -> list[Check]:
    with serving(SlowWeights) as url:
        return harness.run_doctor(url, harness.create_project(TEXT, DATED))


@breaks("dropped")
def label_that_the_config_lacks(harness: DoctorHarness) -> list[Check]:
    return check_backend(OtherLabel, harness)


@breaks("invalid")
def span_past_the_end(harness: DoctorHarness) -> list[Check]:
    return check_backend(LongerText, harness)


@breaks("doubtful")
def text_that_does_not_stand_there(harness: DoctorHarness) -> list[Check]:
    return check_backend(OtherText, harness)


@breaks("nothing_found")
def text_without_a_date(harness: DoctorHarness) -> list[Check]:
    return check_config(TEXT, harness, {"text": "nothing"})


# Storing the prediction


def check_through_proxy(answer: tuple[int, Any], harness: DoctorHarness) -> list[Check]:
    def override(method: str, path: str) -> Any:
        return answer if method == "POST" and "predictions" in path else None

    with serving(FakeBackend) as url, proxy(harness.server.url, override) as home:
        project = harness.create_project(TEXT, DATED, url=url)
        return harness.run_doctor(url, project, label_studio_url=home, push=True)


@breaks("push_refused")
def proxy_that_refuses_post(harness: DoctorHarness) -> list[Check]:
    return check_through_proxy((413, {"detail": "Request Entity Too Large"}), harness)


@breaks("push_lost")
def proxy_that_swallows_it(harness: DoctorHarness) -> list[Check]:
    return check_through_proxy((201, {"created": 1}), harness)


# The tests

# Rules whose tests need more than a case: see below, and of "remote_model", which needs no Label
# Studio, tests/prompt/test_server.py::test_doctor_asks_the_model; of "compose_…", which need none
# either, tests/doctor/test_compose.py::test_every_remedy_of_a_compose_file_has_its_test.
COMPOSE_RULES = {rule for rule in REMEDIES if rule.startswith("compose_")}
ELSEWHERE = {"setting", "connection_blocked", "remote_model"} | COMPOSE_RULES


# Training


class StarterWords(WordsBackend):
    """Knows a word before any training."""

    def load(self, spec: ModelSpec) -> Mapping[str, Mapping[str, int]]:
        return {"Sport": {"goal": 1}, "Food": {}, "Music": {}}


TRAINED = (StarterWords, FakeBackend)


def check_training(
    harness: DoctorHarness, config: str, counted: int = 0, **variables: str
) -> list[Check]:
    """Ask about a project with so many texts about sport, annotated."""
    given = {"LABEL_STUDIO_URL": harness.server.url, "LABEL_STUDIO_API_KEY": harness.server.token}
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        found = {cls.name: cls for cls in TRAINED}
        patch.setattr(doctor_training, "find_backends", lambda: found)
        patch.setattr(training_triggers, "find_backend", found.get)
        with serving(*TRAINED, **{**given, "TRAIN_DIR": folder, **variables}) as url:
            project = harness.create_project(config, {"text": "goal"}, url=url)
            for number in range(counted):
                [task] = harness.server.import_tasks(project, [{"data": {"text": f"{number}"}}])
                path = f"/api/tasks/{task}/annotations/"
                harness.server.request("POST", path, json={"result": [choice("Sport")]})
            return harness.run_doctor(url, project)


@breaks("train_setting")
def server_without_token(harness: DoctorHarness) -> list[Check]:
    return check_training(harness, WORDS_CONFIG, LABEL_STUDIO_API_KEY="")


@breaks("train_tags")
def no_tag_to_train(harness: DoctorHarness) -> list[Check]:
    return check_training(harness, TEXT)


@breaks("train_examples")
def too_few_examples(harness: DoctorHarness) -> list[Check]:
    checks = check_training(harness, WORDS_CONFIG, counted=5)
    [found] = [check.found for check in checks if check.rule == "train_examples"]
    assert found == 'Choices "topic": too few examples of "Food" 0, "Music" 0'
    return checks


@breaks("train_failed")
def failed_training(harness: DoctorHarness) -> list[Check]:
    with TemporaryDirectory() as folder:
        project = harness.create_project(WORDS_CONFIG, {"text": "goal"})
        described = harness.server.request("GET", f"/api/projects/{project}/")
        store = JobStore(Path(folder))
        job = store.create("training", project_key(described), "module:function", {})
        with store.lock():
            store.end(job, Ending(JobState.failed, "no annotations"))
        given = {
            "LABEL_STUDIO_URL": harness.server.url,
            "LABEL_STUDIO_API_KEY": harness.server.token,
        }
        with serving(*TRAINED, TRAIN_DIR=folder, **given) as url:
            checks = harness.run_doctor(url, project)
    [found] = [check.found for check in checks if check.rule == "train_failed"]
    assert found == f"job {job.id} failed: no annotations"
    return checks


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
def test_remedy(rule: str, case: Case, harness: DoctorHarness) -> None:
    checks = case(harness)
    found = [check for check in checks if check.rule == rule]
    assert found, [check for check in checks if check.state != "ok"]
    assert all(check.remedy for check in found)
    assert harness.server.token not in str(checks)
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
    with (
        LabelStudio(label_studio_environment(), settings=settings) as server,
        serving(FakeBackend) as url,
    ):
        harness = DoctorHarness(server)
        project = harness.create_project(TEXT, DATED)
        row = {"state": "CO", "url": url, "title": "old", "auth_method": "NONE"}
        row |= {"project_id": str(project), "timeout": "100", "is_interactive": "0"}
        row |= {"auto_update": "1", "created_at": "2026-01-01", "updated_at": "2026-01-01"}
        with closing(sqlite3.connect(server.folder / "label_studio.sqlite3")) as database:
            places = ", ".join("?" * len(row))
            names = ", ".join(row)
            line = f"insert into ml_mlbackend ({names}) values ({places})"
            database.execute(line, list(row.values()))
            database.commit()
        [check] = [check for check in harness.run_doctor(url, project) if check.state == "broken"]
    assert (check.link, check.rule) == ("Connection", "connection_blocked")
    assert "ML_BLOCK_LOCAL_IP=false" in check.remedy
    assert "SSRF_PROTECTION_ENABLED=false" in check.remedy


@pytest.fixture
def configured(harness: DoctorHarness, monkeypatch: pytest.MonkeyPatch) -> DoctorHarness:
    monkeypatch.setenv("LABEL_STUDIO_URL", harness.server.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", harness.server.token)
    return harness


def test_the_whole_way(configured: DoctorHarness, prelabel: Command) -> None:  # noqa: F811
    with serving(PatternBackend) as url:
        project = configured.create_project(TEXT, DATED, url=url)
        ran = prelabel("doctor", "--url", url, "--project", project, "--push")
    assert ran.status == 0, ran.out
    signs = [line[0] for line in ran.out.splitlines() if line[0] != " "]
    assert set(signs) == {"✓"}
    assert len(signs) == 15
    assert configured.server.token not in ran.out
    [stored] = configured.server.predictions(project)
    assert stored["result"][0]["value"]["text"] == "3 May 2024"


def test_pushing_again_stores_nothing_twice(configured: DoctorHarness, prelabel: Command) -> None:  # noqa: F811
    with serving(PatternBackend) as url:
        project = configured.create_project(TEXT, DATED)
        for _ in range(2):
            prelabel("doctor", "--url", url, "--project", project, "--push")
    assert len(configured.server.predictions(project)) == 1


def test_a_cross_is_exit_status_1(configured: DoctorHarness, prelabel: Command) -> None:  # noqa: F811
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


def test_backends_that_cannot_serve_are_named(harness: DoctorHarness) -> None:
    with serving(Spots, WithoutPackage, named=["spots"]) as url:
        checks = [check for check in harness.run_doctor(url) if check.link == "Models"]
    assert [check.state for check in checks] == ["skipped", "ok"]
    assert checks[0].found.startswith("not served: without_package needs no_such_package: ")


def test_legacy_token_that_is_allowed(harness: DoctorHarness) -> None:
    key = harness.server.request("GET", "/api/current-user/token")["token"]
    harness.enable_tokens(legacy_api_tokens_enabled=True)
    try:
        checks = harness.run_doctor(NOWHERE, token=key)
    finally:
        harness.enable_tokens()
    [token] = [check for check in checks if check.link == "Token"]
    assert (token.state, token.rule) == ("ok", "")
    assert "legacy" in token.found


def test_revoked_token(harness: DoctorHarness) -> None:
    other = harness.server.request(
        "POST", "/api/token/rotate/", json={"refresh": harness.server.token}
    )
    old, harness.server.token = harness.server.token, other["refresh"]
    [token] = [check for check in harness.run_doctor(NOWHERE, token=old) if check.link == "Token"]
    assert token.rule == "token_refused"
    assert Path(harness.server.folder).is_dir()
