"""Each test starts without our environment variables, with a fresh runtime and a cache of ours."""

import gc
import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.backend.registry import find_backends
from shared.pipeline import runtime
from shared.settings import Settings, variable_names

from .documents.add_a_backend import follow_guide
from .module_seconds import MODULE_SECONDS
from .object_store import S3Bucket, open_bucket, serve_s3
from .own_process import run_in_own_process

# Other tests keep the processor busy: a training that gave way would take for ever.
WITHOUT_GIVING_WAY = ("TRAIN_NICENESS", "0")

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM)

# The folders of CACHE_DIR that converted networks lie in.
CONVERSIONS = ("openvino", "onnx")


def pytest_configure() -> None:
    """Set what the servers and commands of a whole module or session have, too.

    Each of them would compile all of ours again where an image of Python keeps no bytecode.
    """
    os.environ.setdefault(*WITHOUT_GIVING_WAY)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False  # for pytest, which would rewrite each test module again
    # What `make check` has checked is not checked again in each copy of the repository.
    os.environ.setdefault("MYPY_CACHE_DIR", str(Path(__file__).parents[1] / ".mypy_cache"))


def pytest_collection_finish() -> None:
    """Keep what all imports have made out of later garbage collections.

    A model that leaves collects garbage: that took half a second of looking at all test modules.
    """
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let several processes begin with the longest modules, so that all end at about one time.

    What a browser shows is looked at once more if it is not what it should be: on a busy machine it
    may come late. The summary names such tests.
    """
    for item in items:
        if item.get_closest_marker("e2e"):
            item.add_marker(pytest.mark.flaky(reruns=1))
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=_module_seconds, reverse=True)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    return run_in_own_process(pyfuncitem)


def _module_seconds(item: pytest.Item) -> int:
    module = item.path.relative_to(Path(__file__).parent).as_posix()
    return MODULE_SECONDS.get(module, 0)


@pytest.fixture(scope="session")
def shared_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this run have in common."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory, shared_dir: Path) -> Path:
    """Where networks are kept during the tests.

    Several processes convert a network once for all: that takes ten seconds each. What else is in
    the folder is this process's own.
    """
    own = tmp_path_factory.mktemp("cache")
    for name in CONVERSIONS:
        (shared_dir / "conversions" / name).mkdir(parents=True, exist_ok=True)
        (own / name).symlink_to(shared_dir / "conversions" / name)
    return own


@pytest.fixture(scope="session")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository in which docs/add-a-backend.md was followed."""
    folder = tmp_path_factory.mktemp("guide")
    follow_guide(folder)
    return folder


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """The address of an S3 server on this machine, moto's."""
    with serve_s3() as url:
        yield url


@pytest.fixture
def s3(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> S3Bucket:
    """An empty bucket, for whose server the environment has address and credentials."""
    return open_bucket(s3_url, monkeypatch)


@pytest.fixture(autouse=True)
def _clean_logging() -> Iterator[None]:
    """Take away the handlers that a command has set up.

    They write into what was standard error in that test. It is closed afterwards: each record of
    all later tests would make a traceback.
    """
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    for handler in root.handlers[:]:
        if handler not in handlers:
            root.removeHandler(handler)


@pytest.fixture(autouse=True)
def _clean_signals() -> Iterator[None]:
    """No command leaves a handler: a process of a later test would have it, and not end."""
    before = [signal.getsignal(number) for number in ENDING_SIGNALS]
    yield
    assert [signal.getsignal(number) for number in ENDING_SIGNALS] == before


@pytest.fixture(autouse=True)
def _clean_runtime(monkeypatch: pytest.MonkeyPatch, cache_dir: Path) -> Iterator[None]:
    classes = [Settings, *(backend.settings_class for backend in find_backends().values())]
    for name in (name for settings in classes for name in variable_names(settings)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CACHE_DIR", str(cache_dir))
    monkeypatch.setenv("TRAIN_DIR", str(cache_dir / "training"))
    monkeypatch.setenv(*WITHOUT_GIVING_WAY)
    runtime.reset_runtime()
    yield
    runtime.reset_runtime()
