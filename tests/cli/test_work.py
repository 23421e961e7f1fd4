"""`prelabel work` where no Label Studio answers, or something else does."""

import label_studio_sdk.core.http_client as sdk_http
import pytest

from shared.bulk import work_loop
from tests.media.web import says, web
from tests.serving import free_port

from .conftest import Command

ONCE = ("work", "--project", 1, "--once", "--backend", "pattern")


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "token")


def test_once_ends_where_label_studio_is_down(
    prelabel: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setattr(sdk_http, "INITIAL_RETRY_DELAY_SECONDS", 0.01)
    monkeypatch.setattr(work_loop, "MAX_BACKOFF_SECONDS", 0.1)
    ran = prelabel(*ONCE, "--patience", 0.1)
    assert ran.status == 2
    assert "Label Studio does not answer on reading it: ConnectError; it was given up" in ran.err
    assert "start it again once Label Studio answers" in ran.err


@pytest.mark.parametrize(
    ("body", "kind", "found"),
    [
        (b"[]", "application/json", "JSON of another kind"),
        (b'"yes"', "application/json", "JSON of another kind"),
        (b"{}", "application/json", "no project with its id"),
        (b"<h1>It works!</h1>", "text/html", "<h1>It works!</h1>"),
    ],
    ids=["list", "text", "no project", "page"],
)
def test_an_address_that_is_no_label_studio_is_named(
    body: bytes, kind: str, found: str, prelabel: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with web() as other:
        other.pages["/api/projects/1/"] = says(body, Content_Type=kind)
        monkeypatch.setenv("LABEL_STUDIO_URL", other.url)
        ran = prelabel(*ONCE)
    assert ran.status == 2
    assert ran.err.strip() == (
        f"prelabel: project 1: what answers at {other.url} on reading it is no Label Studio:"
        f" {found}. Set LABEL_STUDIO_URL to the address of Label Studio as this machine reaches it"
    )
