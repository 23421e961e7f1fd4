"""The tests that every backend passes, for one of its engines, on a model that a test makes."""

import json
import shutil
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from shared.backend.base import Backend
from shared.testing import Conformance


class EngineConformance(Conformance):
    """Holds `kind` with the settings of an engine to the tests of a backend's example.

    What its answers are is compared with its library elsewhere: here some must be there, and all
    of the form that Label Studio takes.
    """

    kind: ClassVar[type[Backend]]

    @classmethod
    def make_model(cls, folder: Path) -> dict[str, str]:
        """Make the engine's model in a folder, and return the variables that name it."""
        raise NotImplementedError

    @classmethod
    def make_example(cls) -> tuple[str, list[dict[str, Any]]] | None:
        """Return the label config and the tasks; None for those of the backend."""
        return None

    @classmethod
    def setup_class(cls) -> None:
        cls._folder = Path(tempfile.mkdtemp())
        settings = cls.make_model(cls._folder)
        module = cls._write_example() or cls.kind.__module__
        own = {"__module__": module, "example_settings": settings}
        cls.backend = type(cls.kind.__name__, (cls.kind,), own)

    @classmethod
    def teardown_class(cls) -> None:
        shutil.rmtree(cls._folder)
        sys.modules.pop(f"{__name__}.{cls.__name__}", None)

    @classmethod
    def _write_example(cls) -> str:
        """Write an example of its own beside a module, and return the name of that."""
        example = cls.make_example()
        if example is None:
            return ""
        config, tasks = example
        folder = cls._folder / "example"
        folder.mkdir()
        (folder / "label_config.xml").write_text(config, encoding="utf-8")
        (folder / "tasks.json").write_text(json.dumps(tasks), encoding="utf-8")
        module = ModuleType(f"{__name__}.{cls.__name__}")
        module.__file__ = str(folder / "backend.py")
        sys.modules[module.__name__] = module
        return module.__name__

    def test_example_gives_what_is_expected(self) -> None:
        answers = self.predict_once()
        assert all(isinstance(answer, dict) for answer in answers), answers
        assert any(answer["result"] for answer in answers)

    _folder: ClassVar[Path]
