from collections.abc import Hashable
from typing import Any

import pytest

from shared.backend.claim import ModelSpec
from shared.label_studio.label_config import Control
from shared.pipeline import runtime
from shared.pipeline.output_cache import ENTRY_OVERHEAD_BYTES, OutputCache
from tests.tiny import PromptBackend, WordBackend, made, routed, tasks

KB = 1000


def test_keeps_what_fits_and_drops_what_was_not_asked_for() -> None:
    cache = OutputCache(10 * KB)
    for name in "abc":
        cache.put(name, name * 2 * KB)
    assert cache.get("a") == ("a" * 2 * KB,)
    cache.put("d", "d" * 2 * KB)
    cache.put("e", "e" * 2 * KB)
    assert [cache.get(name) is not None for name in "abcde"] == [True, False, True, True, True]
    assert 8 * KB < cache.bytes <= 10 * KB
    assert (cache.hits, cache.misses) == (5, 1)


def test_size_stays_bounded() -> None:
    cache = OutputCache(100 * KB)
    for number in range(1000):
        cache.put(number, "x" * (number % 50) * 100)
    assert 90 * KB < cache.bytes <= 100 * KB
    assert len(cache) < 300


def test_same_key_again_replaces() -> None:
    cache = OutputCache(10 * KB)
    cache.put("a", "one")
    cache.put("a", "two")
    assert cache.get("a") == ("two",)
    assert cache.bytes < 2 * ENTRY_OVERHEAD_BYTES


def test_output_larger_than_all_is_let_go() -> None:
    cache = OutputCache(10 * KB)
    cache.put("a", "small")
    cache.put("b", "b" * 20 * KB)
    assert cache.get("a") == ("small",)
    assert cache.get("b") is None


def test_none_is_an_output() -> None:
    cache = OutputCache(10 * KB)
    cache.put("a", None)
    assert cache.get("a") == (None,)


# Behind the pipeline


def ask(backend: Any, *texts: str, **options: Any) -> list[Any]:
    run = runtime.runtime().pipeline.run
    return [outcome.to_response() for outcome in run(routed(backend), tasks(*texts), **options)]


def ran(backend: Any) -> list[str]:
    return sorted(text for batch in backend.batches for text in batch)


def test_asking_again_runs_no_model() -> None:
    backend = made(WordBackend)
    first = ask(backend, "a b", "c d")
    assert ask(backend, "a b", "c d") == first
    assert ran(backend) == ["a b", "c d"]


def test_another_project_with_another_config_shares_the_answer() -> None:
    one = made(WordBackend)
    ask(one, "a b")
    xml = one.label_config.replace('name="label"', 'name="tag"')
    other = made(WordBackend, xml)
    [outcome] = runtime.runtime().pipeline.run(routed(other, xml=xml), tasks("a b"))
    answer = outcome.to_response()
    assert isinstance(answer, dict)
    assert answer["result"][0]["from_name"] == "tag"
    assert ran(other) == []


class Sized(WordBackend):
    """A model with an option."""

    name = "sized"
    size = 1

    def spec(self, control: Control) -> ModelSpec:
        return ModelSpec("sized", "sized", (("size", self.size),))


def test_another_model_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = made(Sized)
    ask(backend, "a")
    monkeypatch.setattr(Sized, "size", 2)
    ask(backend, "a")
    assert ran(backend) == ["a", "a"]


def test_failures_are_not_kept() -> None:
    backend = made(WordBackend)
    for _ in range(2):
        assert ask(backend, "infer: a") == [[]]
    assert ran(backend) == ["infer: a"] * 2


def test_failure_in_regions_does_not_forget_the_output() -> None:
    backend = made(WordBackend)
    for _ in range(2):
        assert ask(backend, "regions: a") == [[]]
    assert ran(backend) == ["regions: a"]


class Moody(WordBackend):
    """Answers differently each time, and says so."""

    name = "moody"

    def cache_key(self, item: Any) -> Hashable | None:
        return None


def test_backend_without_keys_is_always_asked() -> None:
    backend = made(Moody)
    for _ in range(2):
        ask(backend, "a")
    assert ran(backend) == ["a", "a"]


def test_same_context_gives_the_same_answer() -> None:
    backend = made(PromptBackend)
    drawn = {"result": [{"type": "labels", "value": {}}]}
    assert ask(backend, "a", context=drawn) == ask(backend, "a", context=drawn)
    assert ran(backend) == ["a"]


def test_without_a_cache_everything_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSWER_CACHE_MB", "0")
    runtime.reset_runtime()
    backend = made(WordBackend)
    for _ in range(2):
        ask(backend, "a")
    assert ran(backend) == ["a", "a"]
