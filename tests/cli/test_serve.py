"""`prelabel serve` with what cannot be served: one sentence and exit status 2, and no server."""

import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from shared.cli.doctor import _local_url
from shared.settings import Settings
from tests.serving import served

from .conftest import Ran, start

MODEL = """
from label_studio_ml.model import LabelStudioMLBase

class Model(LabelStudioMLBase):
    def predict(self, tasks, **kwargs):
        return []
"""


def serve(folder: Path, *names: str) -> Ran:
    """What the command says; it would go on for ever if it served."""
    words = ["serve", *names, "--port", "0"]
    process = start(folder, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    return Ran(process.returncode, out.decode(), err.decode())


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["nre"], "Unknown backend nre. Did you mean ner? Available: audio, detection, ner, ocr"),
        (
            ["nre:dslim/x"],
            "Unknown backend nre. Did you mean ner? Available: audio, detection, ner",
        ),
        (["pattern", "qqq"], "Unknown backend qqq. Available: audio, detection, ner, ocr"),
        (["./model:Model"], "Unknown backend ./model. Available: "),
        (["./model:Model"], "To serve a class in a file, give path/to/model.py:MyModel"),
        (["pattern:x"], "pattern has no choice of models"),
        (["model.py"], "model.py: which class of it? Expected path/to/model.py:MyModel"),
        (["other.py:Model"], "other.py: there is no such file"),
        (["pattern", "model.py:Model"], "model.py:Model can only be served by itself"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_name_that_nothing_has(names: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(MODEL)
    ran = serve(tmp_path, *names)
    assert ran.status == 2
    assert message in ran.err
    assert (ran.out, len(ran.err.splitlines())) == ("", 1), "no server was announced or started"


def test_class_that_the_file_lacks(tmp_path: Path) -> None:
    """That is seen only in the process that imports the file."""
    (tmp_path / "model.py").write_text(MODEL)
    ran = serve(tmp_path, "model.py:Other")
    assert ran.status == 2
    sentence = "prelabel: model.py has no class Other that is a LabelStudioMLBase"
    assert ran.err.splitlines()[-1] == sentence, "nothing comes after it"
    assert "Traceback" not in ran.err
    assert ran.out == "", "no server was announced"


def test_file_that_ends_the_program(tmp_path: Path) -> None:
    """As one does that reads a command line; it would end each new worker, too."""
    (tmp_path / "model.py").write_text("raise SystemExit('bye SECRET123')")
    ran = serve(tmp_path, "model.py:Model")
    assert ran.status == 2
    assert ran.err.splitlines()[-1].startswith("prelabel: model.py cannot be imported: it ends")
    assert "SECRET123" not in ran.err + ran.out
    assert ran.out == ""


def test_class_for_the_other_line_of_label_studio_ml(tmp_path: Path) -> None:
    code = MODEL.replace("import LabelStudioMLBase", "import LabelStudioMLBase, predict_fn")
    (tmp_path / "model.py").write_text(code)
    ran = serve(tmp_path, "model.py:Model")
    assert ran.status == 2
    assert "the 2.x line, which no registry has, is installed by" in ran.err
    assert "Traceback" not in ran.err


FAULTY = """
import sys
from shared.cli import main, serve
from shared.errors import SettingError

def make_app(*arguments):
    raise {error}

serve.make_app = make_app
sys.argv[1:] = ["serve", "pattern", "--port", "0"]
main()
"""


@pytest.mark.parametrize(
    ("error", "status", "last_line"),
    [
        ("SettingError('backends/pattern is broken')", 2, "prelabel: backends/pattern is broken"),
        ("ValueError('of a library')", 3, "ValueError: of a library"),
    ],
    ids=["ours", "a library's"],
)
def test_application_that_cannot_be_made(
    error: str, status: int, last_line: str, tmp_path: Path
) -> None:
    """That is seen only in the process that serves, which answers health checks meanwhile."""
    program = FAULTY.replace("{error}", error)
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == status
    lines = ran.stderr.splitlines()
    assert last_line in lines
    assert ran.stdout == "", "no server was announced"
    if status == 2:
        assert lines[-1] == last_line, "nothing comes after it"
        assert "Traceback" not in ran.stderr


def test_interrupt_of_the_main_process_alone(tmp_path: Path) -> None:
    """As editors stop a program. Ctrl-C also interrupts workers."""
    with served("pattern", log=tmp_path / "log") as server:
        server.wait("/ready")
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(120) == 0
        assert "SIGKILL" not in server.log.read_text(), "it ended by itself"


@pytest.mark.parametrize("host", ["::1", "::", "127.0.0.1"])
def test_address_to_listen_on(host: str, tmp_path: Path) -> None:
    with served("pattern", log=tmp_path / "log", host=host) as server:
        server.wait("/ready")
        shown = f"[{host}]" if ":" in host else host
        assert f"prelabel on http://{shown}:" in server.log.read_text()
        own = _local_url(Settings(host=host, port=int(server.url.rpartition(":")[2])))
        assert httpx.get(f"{own}/health").json()["status"] == "UP"


def test_host_in_brackets_is_the_same() -> None:
    assert (
        Settings(host="[::1]", port=1).listen_address == Settings(host="::1", port=1).listen_address
    )
