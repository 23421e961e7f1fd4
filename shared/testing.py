"""Tests that every backend must pass, for its own test module:

from shared.testing import Conformance


class TestMine(Conformance):
    backend = MyBackend
"""

import copy
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from shared.backend.base import Backend
from shared.backend.example import Example, backend_folder
from shared.errors import InferenceError, SettingError
from shared.pipeline import runtime, standalone
from shared.results import rle
from shared.settings import changed_environment

# How far a number may be from the expected one, by key; others by `ANY_NUMBER`. A short line that
# begins a pixel higher is turned by a degree: that differs from CPU to CPU.
TOLERANCES = {"score": 0.05, "rotation": 1.5}
# In percent of the image's side: engines and machines differ by less.
DEFAULT_TOLERANCE = 0.5


# Masks of different machines have at least this intersection over union.
MIN_MASK_OVERLAP = 0.97

# Types that Label Studio's validator refuses even where the editor itself made them.
SDK_REJECTS = {"pairwise"}


@contextmanager
def example_environment(backend: type[Backend]) -> Iterator[None]:
    """Set the environment for a backend's example, with a new runtime inside the block."""
    extra = {"LOCAL_FILES_ROOT": str(backend_folder(backend).parent), **backend.example_settings}
    with changed_environment(extra):
        runtime.reset_runtime()
        try:
            yield
        finally:
            runtime.reset_runtime()


def predict_example(backend: type[Backend], tasks: list[Any] | None = None) -> list[Any]:
    """Return the predictions for a backend's example, or for other tasks of its label config.

    SettingError says why the backend cannot run here.
    """
    if (problem := backend.unavailable_reason()) is not None:
        raise SettingError(problem)
    example = Example.load(backend)
    own = backend(label_config=example.label_config, served=True)
    return standalone.predict(own, example.tasks if tasks is None else tasks)


class Conformance:
    """Tests of one backend on the example in its folder. Subclass it and name the backend."""

    backend: ClassVar[type[Backend]]
    _answers: ClassVar[list[Any]]

    def predict_once(self) -> list[Any]:
        """Return the answers to the example, which is predicted once for the tests of a class."""
        if "_answers" not in vars(type(self)):
            with example_environment(self.backend):
                type(self)._answers = predict_example(self.backend)
        return copy.deepcopy(self._answers)

    def test_example_gives_what_is_expected(self) -> None:
        """Compare with `expected.json`, except ids, versions and small differences of numbers."""
        answers = self.predict_once()
        expected = Example.load(self.backend).expected
        assert expected is not None, f"{self.backend.name} has no expected.json"
        assert find_differences(answers, expected) == []

    def test_sdk_accepts_every_prediction(self) -> None:
        """Ask Label Studio's own validator for a second opinion."""
        from label_studio_sdk.label_interface import LabelInterface

        answers = self.predict_once()
        validator = LabelInterface(Example.load(self.backend).label_config)
        for answer in answers:
            assert isinstance(answer, dict)
            answer["result"] = [r for r in answer["result"] if r["type"] not in SDK_REJECTS]
            assert validator.validate_prediction(answer, return_errors=True) == []

    def test_broken_task_costs_only_itself(self) -> None:
        """Expect the same predictions as without the broken task, in the same order."""
        tasks = Example.load(self.backend).tasks
        broken = {"id": "broken", "data": {}}
        with example_environment(self.backend):
            alone = predict_example(self.backend)
            mixed = predict_example(self.backend, [tasks[0], broken, *tasks[1:]])
        assert mixed[1] == []
        assert same_answers(mixed[:1] + mixed[2:], alone)

    def test_same_ids_and_version_every_time(self) -> None:
        """Expect equal predictions after everything was loaded again, as in a new process."""
        first = self.predict_once()
        with example_environment(self.backend):
            second = predict_example(self.backend)
        assert same_answers(first, second)

    def test_setup_and_predict_say_the_same_version(self) -> None:
        """Expect equal versions, or Label Studio would store every prediction again and again."""
        example = Example.load(self.backend)
        with example_environment(self.backend):
            backend = self.backend(label_config=example.label_config, served=True)
            version = standalone.model_version(backend)
        assert {answer["model_version"] for answer in self.predict_once()} == {version}


def same_answers(found: list[Any], expected: list[Any]) -> bool:
    """Return whether predictions are equal, including ids and versions; scores nearly."""
    ids = [[[r["id"] for r in a["result"]] for a in answers] for answers in (found, expected)]
    versions = [[a["model_version"] for a in answers] for answers in (found, expected)]
    equal = ids[0] == ids[1] and versions[0] == versions[1]
    return equal and find_differences(found, expected) == []


def find_differences(found: Any, expected: Any, where: str = "answer") -> list[str]:
    """Return where two answers differ by more than engines and machines do, a line each."""
    if isinstance(expected, dict) and isinstance(found, dict):
        if "rle" in expected and "rle" in found:
            return _mask_differences(found["rle"], expected["rle"], where)
        keys = [key for key in expected if key not in {"id", "model_version"}]
        extra = set(found) - set(expected)
        lines = [f"{where}: has {key} too" for key in sorted(extra - {"id", "model_version"})]
        for key in keys:
            lines += find_differences(found.get(key), expected[key], f"{where}.{key}")
        return lines
    if isinstance(expected, list) and isinstance(found, list):
        if len(found) != len(expected):
            return [f"{where}: {len(found)} entries, expected {len(expected)}"]
        pairs = enumerate(zip(found, expected, strict=True))
        return [x for i, (a, b) in pairs for x in find_differences(a, b, f"{where}[{i}]")]
    if isinstance(expected, int | float) and isinstance(found, int | float):
        allowed = TOLERANCES.get(where.rsplit(".", 1)[-1], DEFAULT_TOLERANCE)
        close = math.isclose(found, expected, abs_tol=allowed)
        return [] if close else [f"{where}: {found}, expected {expected} ± {allowed}"]
    return [] if found == expected else [f"{where}: {found!r}, expected {expected!r}"]


def _mask_differences(found: list[int], expected: list[int], where: str) -> list[str]:
    """Return what two masks differ in: more than a few pixels at their edges."""
    counts = [int.from_bytes(bytes(one[:4]), "big") // rle.CHANNELS for one in (found, expected)]
    masks = [
        rle.decode(one, 1, count) > 0 for one, count in zip((found, expected), counts, strict=True)
    ]
    if masks[0].shape != masks[1].shape:
        return [f"{where}.rle: a mask of another size"]
    overlap = (masks[0] & masks[1]).sum() / max((masks[0] | masks[1]).sum(), 1)
    if overlap >= MIN_MASK_OVERLAP:
        return []
    return [f"{where}.rle: overlaps by {overlap:.3f}, expected {MIN_MASK_OVERLAP}"]


def write_expected(backend: type[Backend]) -> None:
    """Predict a backend's example and write `expected.json`: look at it before committing.

    InferenceError names a task that got no prediction, and why.
    """
    with example_environment(backend):
        answers = predict_example(backend)
        failures = runtime.runtime().failures.recent()
    for number, answer in enumerate(answers, 1):
        if not isinstance(answer, dict):
            why = failures[-1]["message"] if failures else "nothing was found for it"
            raise InferenceError(f"{backend.name}: no prediction of task {number}: {why}")
        answer.pop("model_version", None)
        for result in answer["result"]:
            result.pop("id", None)
    text = json.dumps(answers, indent=1, ensure_ascii=False)
    (backend_folder(backend) / "expected.json").write_text(text + "\n", encoding="utf-8")
