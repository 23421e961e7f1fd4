import mmap
import os
import sys
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import pytest

from shared.backend.claim import ModelSpec
from shared.backend.weights import WeightsHashes, hash_files
from shared.errors import ModelError
from shared.pipeline import models
from shared.pipeline.metrics import PipelineMetrics
from shared.pipeline.models import ModelRegistry
from shared.pipeline.process_memory import resident_bytes
from shared.pipeline.runtime import reset_runtime, runtime
from tests.tiny import FileBackend, WordBackend, close_models, made, routed

pytestmark = pytest.mark.own_process

SPEC = ModelSpec("loading", "some/folder/model.pt")


class LoadingBackend(WordBackend):
    """Counts its loads; `fails` says what goes wrong."""

    name = "loading"
    fails: ClassVar[Exception | None] = None
    loads: ClassVar[list[str]] = []
    pause: ClassVar[float] = 0.0

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        if spec.model == "gone":
            raise ModelError("gone was not found")
        return ()

    def load(self, spec: ModelSpec) -> Any:
        self.loads.append(spec.model)
        time.sleep(self.pause)
        if self.fails is not None:
            raise self.fails
        return spec.model


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(LoadingBackend, "loads", [])
    return made(LoadingBackend)


@pytest.fixture
def store() -> Iterable[ModelRegistry]:
    store = ModelRegistry(PipelineMetrics(), WeightsHashes())
    yield store
    close_models(store)


def test_32_threads_load_once(
    backend: Any, store: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LoadingBackend, "pause", 0.1)
    start = threading.Barrier(32)

    def ask(_: int) -> Any:
        start.wait()
        return store.get_or_load(backend, SPEC)

    with ThreadPoolExecutor(32) as pool:
        queues = list(pool.map(ask, range(32)))
    assert backend.loads == [SPEC.model]
    assert len(set(map(id, queues))) == 1


def test_models_load_beside_each_other(
    backend: Any, store: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(3)
    monkeypatch.setattr(LoadingBackend, "load", lambda self, spec: together.wait(60))
    with ThreadPoolExecutor(3) as pool:
        specs = [ModelSpec("loading", str(number)) for number in range(3)]
        list(pool.map(lambda spec: store.get_or_load(backend, spec), specs))
    assert [slot.state for slot in store.all_models()] == ["loaded"] * 3


@pytest.mark.parametrize(
    ("error", "message"),
    [
        pytest.param(ModelError("model.pt was not found"), "model.pt was not found", id="ours"),
        pytest.param(
            RuntimeError("/secret/path"),
            "loading-model.pt could not be loaded: RuntimeError (the log has the details)",
            id="a-librarys",
        ),
    ],
)
def test_failure_is_remembered_and_tried_again_later(
    error: Exception,
    message: str,
    backend: Any,
    store: ModelRegistry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(LoadingBackend, "fails", error)
    for _ in range(3):
        with pytest.raises(ModelError) as caught:
            store.get_or_load(backend, SPEC)
        assert str(caught.value) == message
    assert len(backend.loads) == 1
    assert store.load_error(SPEC) == message
    assert [slot.state for slot in store.all_models()] == ["failed"]
    monkeypatch.setattr(models, "RETRY_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(LoadingBackend, "fails", None)
    assert store.get_or_load(backend, SPEC).submit("a").result(60) == "a"
    assert len(backend.loads) == 2
    assert store.load_error(SPEC) is None
    assert [slot.state for slot in store.all_models()] == ["loaded"]


def test_waiting_threads_share_one_failure(
    backend: Any, store: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LoadingBackend, "fails", RuntimeError())
    monkeypatch.setattr(LoadingBackend, "pause", 0.05)

    def ask(_: int) -> str:
        with pytest.raises(ModelError) as caught:
            store.get_or_load(backend, SPEC)
        return str(caught.value)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert len(backend.loads) == 1


def test_missing_module_names_the_extra(store: ModelRegistry) -> None:
    class Extra(LoadingBackend):
        name = "extra"
        modules = ("json", "no_such_module", "no_such_package.part")

    words = "extra needs no_such_module, no_such_package.part: install what tests requires"
    with pytest.raises(ModelError, match=words):
        store.get_or_load(made(Extra), ModelSpec("extra", "m"))


def test_weights_that_are_not_there(backend: Any, store: ModelRegistry) -> None:
    spec = ModelSpec("loading", "gone")
    with pytest.raises(ModelError, match="gone was not found"):
        store.weights_hash(backend, spec)
    assert store.load_error(spec) == "gone was not found"
    assert backend.loads == []


def test_weights_found_at_last_are_not_failed(
    backend: Any, store: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = ModelSpec("loading", "gone")
    with pytest.raises(ModelError):
        store.weights_hash(backend, spec)
    monkeypatch.setattr(models, "RETRY_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(LoadingBackend, "weights", lambda self, spec: ())
    store.weights_hash(backend, spec)
    assert store.load_error(spec) is None
    assert [slot.state for slot in store.all_models()] == ["waiting"]


def test_digest_is_known_at_once_without_weights(store: ModelRegistry) -> None:
    assert store.known_weights_hash(made(WordBackend), ModelSpec("word", "word")) == hash_files(())


def test_digest_is_not_known_before_it_is_asked_for(backend: Any, store: ModelRegistry) -> None:
    assert store.known_weights_hash(backend, SPEC) is None
    found = store.weights_hash(backend, SPEC)
    assert store.known_weights_hash(backend, SPEC) == found
    assert backend.loads == []


# Memory

MB = 1_000_000
LARGE = 60 * MB


class LargeBackend(WordBackend):
    """Its models hold 60 MB, or as the name of one says: nothing."""

    name = "large"
    loads: ClassVar[list[str]] = []

    def load(self, spec: ModelSpec) -> Any:
        self.loads.append(spec.model)
        return bytearray(b"x") * (0 if spec.model == "empty" else LARGE)

    def infer(self, model: Any, items: list[Any]) -> Any:
        return [len(model)] * len(items)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(LargeBackend, "loads", [])
    return made(LargeBackend)


def ask(store: ModelRegistry, backend: Any, name: str) -> Any:
    """As a request does: the model is held while it is used."""
    spec = ModelSpec("large", name)
    store.pin([spec])
    try:
        return store.get_or_load(backend, spec).submit(1).result(60)
    finally:
        store.unpin([spec])


def states(store: ModelRegistry) -> dict[str, str]:
    return {slot.spec.model: slot.state for slot in store.all_models()}


def test_models_not_used_for_the_longest_leave(large: Any) -> None:
    store = ModelRegistry(PipelineMetrics(), WeightsHashes(), max_bytes=int(2.7 * LARGE))
    for name in ("a", "empty", "b", "a", "c"):
        ask(store, large, name)
    assert states(store) == {"a": "loaded", "b": "unloaded", "c": "loaded", "empty": "loaded"}
    assert ask(store, large, "b") == LARGE, "it comes back when it is asked for"
    assert states(store)["a"] == "unloaded"
    assert large.loads == ["a", "empty", "b", "c", "b"]
    close_models(store)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what files are mapped")
def test_what_the_system_takes_meanwhile_hides_nothing(
    large: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages of a library that is not used leave while a model loads."""
    (tmp_path / "library").write_bytes(bytes(2 * LARGE))
    with (tmp_path / "library").open("rb") as file:
        pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    assert not any(pages[:: mmap.PAGESIZE])  # reads each page
    load = LargeBackend.load

    def load_while_pages_leave(self: LargeBackend, spec: ModelSpec) -> Any:
        pages.madvise(mmap.MADV_DONTNEED)
        return load(self, spec)

    monkeypatch.setattr(LargeBackend, "load", load_while_pages_leave)
    store = ModelRegistry(PipelineMetrics(), WeightsHashes(), max_bytes=2 * LARGE)
    ask(store, large, "a")
    [slot] = store.all_models()
    assert slot.memory_bytes == pytest.approx(LARGE, rel=0.1)
    close_models(store)
    pages.close()


def test_model_in_use_stays(large: Any) -> None:
    store = ModelRegistry(PipelineMetrics(), WeightsHashes(), max_bytes=int(1.5 * LARGE))
    used = ModelSpec("large", "a")
    store.pin([used])
    ask(store, large, "a")
    ask(store, large, "b")
    assert states(store) == {"a": "loaded", "b": "loaded"}
    store.unpin([used])
    ask(store, large, "c")
    assert states(store) == {"a": "unloaded", "b": "unloaded", "c": "loaded"}
    close_models(store)


def test_memory_of_a_model_that_left_is_free(large: Any) -> None:
    store = ModelRegistry(PipelineMetrics(), WeightsHashes(), max_bytes=int(1.5 * LARGE))
    ask(store, large, "a")
    before = resident_bytes()
    for name in ("b", "c", "d"):
        ask(store, large, name)
    assert resident_bytes() - before < LARGE
    close_models(store)


def test_memory_is_at_least_the_size_of_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(b"x" * 30 * MB)
    monkeypatch.setattr(FileBackend, "file", file, raising=False)
    store = ModelRegistry(PipelineMetrics(), WeightsHashes())
    backend = made(FileBackend)
    store.get_or_load(backend, backend.spec(None))
    [slot] = store.all_models()
    assert slot.memory_bytes >= 30 * MB
    close_models(store)


def test_weights_that_changed_meanwhile_make_another_version(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ModelRegistry(PipelineMetrics(), WeightsHashes(), max_bytes=1)
    backend = made(FileBackend)
    spec = backend.spec(None)
    store.get_or_load(backend, spec)
    before = store.known_weights_hash(backend, spec)
    store.get_or_load(made(LargeBackend), ModelSpec("large", "a"))
    assert states(store)[str(weights)] == "unloaded"
    weights.write_bytes(b"two")
    assert store.known_weights_hash(backend, spec) == before
    store.get_or_load(backend, spec)
    assert store.known_weights_hash(backend, spec) != before
    close_models(store)


@pytest.mark.parametrize("fails", [True, False], ids=["that cannot be loaded", "that are hashed"])
def test_weights_that_are_replaced_before_they_are_loaded(
    fails: bool, weights: Path, store: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version is that of what serves, as a server finds it that starts afterwards."""
    backend, spec = made(FileBackend), made(FileBackend).spec(None)
    before = store.weights_hash(backend, spec)
    if fails:
        with monkeypatch.context() as changed:
            changed.setattr(FileBackend, "load", None)
            with pytest.raises(ModelError):
                store.get_or_load(backend, spec)
        monkeypatch.setattr(models, "RETRY_AFTER_SECONDS", 0.0)
    weights.write_bytes(b"other weights")
    store.get_or_load(backend, spec)
    assert store.known_weights_hash(backend, spec) == hash_files([weights]) != before


@pytest.mark.parametrize("times", [1, 9], ids=["once", "again and again"])
def test_weights_that_are_replaced_while_they_are_loaded(
    times: int, weights: Path, store: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What serves is what lies there in the end, and the version is its own."""
    backend, spec = made(FileBackend), made(FileBackend).spec(None)
    loaded: list[bytes] = []

    def load(backend: FileBackend, spec: ModelSpec) -> bytes:
        loaded.append(weights.read_bytes())
        if len(loaded) <= times:
            weights.write_bytes(b"other weights" * len(loaded))
        return loaded[-1]

    monkeypatch.setattr(FileBackend, "load", load)
    if times > 1:
        with pytest.raises(ModelError, match="change again and again"):
            store.get_or_load(backend, spec)
        assert len(loaded) == models.MAX_LOADS
    else:
        store.get_or_load(backend, spec)
        assert loaded == [b"one", b"other weights"]
        assert store.known_weights_hash(backend, spec) == hash_files([weights])


# Versions


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "a" / "model.bin"
    file.parent.mkdir()
    file.write_bytes(b"one")
    monkeypatch.setattr(FileBackend, "file", file, raising=False)
    return file


def version() -> str:
    """As a fresh process finds it."""
    reset_runtime()
    return routed(made(FileBackend)).version(wait=True)


def test_version_is_a_name_and_a_hash(weights: Path) -> None:
    name, _, digest = version().rpartition("-")
    assert name == "file-model.bin"
    assert len(digest) == 8
    assert version() == version()


def test_version_is_loading_while_the_weights_are_not_known(weights: Path) -> None:
    assert routed(made(FileBackend)).version() == "file-model.bin-loading"


def test_version_changes_with_the_weights(weights: Path) -> None:
    before = version()
    weights.write_bytes(b"two")
    assert version() != before


@pytest.mark.parametrize("option", ["size", "threshold"])
def test_version_changes_with_options(
    option: str, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = version()
    monkeypatch.setattr(FileBackend, option, 0.25)
    assert version() != before


def test_version_does_not_change_with_the_folder_or_the_time(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = version()
    moved = weights.parent.parent / "other" / weights.name
    moved.parent.mkdir()
    weights.rename(moved)
    os.utime(moved, (1, 1))
    monkeypatch.setattr(FileBackend, "file", moved)
    assert version() == before


def test_version_without_a_model_that_cannot_be_loaded(weights: Path) -> None:
    weights.unlink()
    assert version() == "none"
    message = runtime().models.all_models()[0].error
    assert message is not None
    assert str(weights.parent) not in message


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param({"a": b"1", "b": b"2"}, {"a": b"1", "b": b"2"}, True, id="equal"),
        pytest.param({"a": b"1", "b": b"2"}, {"b": b"2", "a": b"1"}, True, id="any-order"),
        pytest.param({"a": b"1", "b": b"2"}, {"a": b"2", "b": b"1"}, False, id="exchanged"),
        pytest.param({"a": b"1"}, {"b": b"1"}, False, id="another-name"),
        pytest.param({"a": b"bc"}, {"ab": b"c"}, False, id="name-or-content"),
        pytest.param({"a": b"1"}, {}, False, id="none"),
    ],
)
def test_digest(one: dict[str, bytes], other: dict[str, bytes], same: bool, tmp_path: Path) -> None:
    found = []
    for number, contents in enumerate((one, other)):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        found.append(hash_files([folder / name for name in contents]))
    assert (found[0] == found[1]) is same


@pytest.mark.parametrize(
    ("spec", "label"),
    [
        (ModelSpec("ner", "ner"), "ner"),
        (ModelSpec("ner", ""), "ner"),
        (ModelSpec("ner", "dslim/bert-base-NER"), "ner-bert-base-NER"),
        (ModelSpec("detection", "/models/yolo.pt"), "detection-yolo.pt"),
        (ModelSpec("detection", "C:\\models\\yolo.pt"), "detection-yolo.pt"),
        (ModelSpec("detection", "models/yolo_openvino/"), "detection-yolo_openvino"),
    ],
)
def test_label(spec: ModelSpec, label: str) -> None:
    assert spec.label == label
