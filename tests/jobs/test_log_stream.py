"""What a job says: all of it in the log, none of it a secret."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.jobs.job import JobState
from shared.jobs.job_store import JobStore
from shared.jobs.log_stream import LogStream, Redactor
from shared.jobs.submit import submit_job
from shared.settings import Settings

from .conftest import FUNCTIONS, wait_for, wait_until

TOKEN = "ls-token-0123456789abcdef"


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., str]:
    """Write texts through a stream, and return what is in the file."""

    def write(*texts: str, secrets: dict[str, str] | None = None) -> str:
        file = tmp_path / "log"
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
        stream = LogStream(descriptor, Redactor(secrets or {}))
        for text in texts:
            assert stream.write(text) == len(text)
        stream.close()
        os.close(descriptor)
        return file.read_bytes().decode()

    return write


@pytest.mark.parametrize(
    ("environment", "text", "redacted"),
    [
        pytest.param({"HF_TOKEN": "hf_abcdef"}, "a hf_abcdef b", "a *** b", id="token"),
        pytest.param({"MY_PASSWORD": "secret1"}, "secret1secret1", "******", id="twice"),
        pytest.param({"API_KEY": "short"}, "a short word", "a short word", id="short"),
        pytest.param({"NAME": "no-secret"}, "no-secret", "no-secret", id="no-secret"),
        pytest.param(
            {"A_KEY": "abcdef", "B_KEY": "abcdefgh"}, "abcdefgh", "***", id="one-in-another"
        ),
        pytest.param(
            {"QUEUE_URL": "redis://u:pass-word@h"}, "AUTH pass-word", "AUTH ***", id="of-an-address"
        ),
        pytest.param({}, "see http://me:pw@host/x", "see http://host/x", id="any-address"),
        pytest.param({"A_KEY": "a.c(d*"}, "a.c(d* abc", "*** abc", id="special-characters"),
        pytest.param({"URL": "http://[broken"}, "http://[broken", "http://[broken", id="broken"),
    ],
)
def test_secrets_are_hidden(environment: dict[str, str], text: str, redacted: str) -> None:
    assert Redactor(environment).redact(text) == redacted


def test_secrets_in_json_are_hidden_but_its_names_stay() -> None:
    redactor = Redactor({"BASIC_AUTH_PASS": "controls"})
    content = {"controls": [{"name": "of controls", "epochs": 3}, None, 0.5]}
    assert redactor.redact_json(content) == {
        "controls": [{"name": "of ***", "epochs": 3}, None, 0.5]
    }


def test_a_secret_in_pieces_is_hidden(written: Callable[..., str]) -> None:
    pieces = [TOKEN[:5], TOKEN[5:], " end\n", "next"]
    assert written(*pieces, secrets={"TOKEN": TOKEN}) == "*** end\nnext"


def test_progress_bars_and_long_lines_are_written(written: Callable[..., str]) -> None:
    texts = ("10 %\r", "20 %\r", "\udcff ü\n", "x" * 100_000)
    assert written(*texts) == "10 %\r20 %\r\\udcff ü\n" + "x" * 100_000


def test_a_full_disk_drops_what_is_printed() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    stream = LogStream(descriptor, Redactor({}))
    assert stream.write("lost\n") == 5
    stream.close()
    os.close(descriptor)


@pytest.mark.parametrize("fails", [False, True], ids=["done", "failed"])
def test_no_token_gets_into_the_folder_of_a_job(
    store: JobStore, settings: Settings, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", TOKEN)
    monkeypatch.setenv("QUEUE_ADDRESS_URL", "redis://user:queue-password@host:6379")
    arguments = {"seconds": 0.5, "fails": fails}
    job = submit_job(settings, "training", "7", FUNCTIONS + "tell_secrets", arguments)
    wait_until(lambda: "said" in store.find(job.id).message)
    seen = [path.read_bytes() for path in store.folder(job.id).path.iterdir() if path.is_file()]
    found = wait_for(store, job)
    assert found.state is (JobState.failed if fails else JobState.done)
    assert found.progress == {"token": "***"}
    if fails:
        assert found.message == "failed with ***"
    else:
        assert found.result == {"token": "***"}
        assert found.message == "said ***, redis://host:6379"
    seen += [path.read_bytes() for path in store.folder(job.id).path.iterdir() if path.is_file()]
    assert len(seen) >= 5
    for content in seen:
        assert TOKEN.encode() not in content
        assert b"queue-password" not in content
    log = store.folder(job.id).log.read_text()
    assert re.search(r"printed \*\*\*\nhalf \*\*\*\n.*WARNING library: logged \*\*\*\n", log)
