"""Every backend under `backends/`, found by itself, held to the same tests."""

from shared.backend.registry import faulty_backends, find_backends
from shared.testing import Conformance

for _name, _backend in find_backends().items():
    _title = f"Test{_name.title()}"
    globals()[_title] = type(_title, (Conformance,), {"backend": _backend})


def test_all_four_are_found() -> None:
    assert {"pattern", "detection", "ner", "ocr"} <= set(find_backends())


def test_no_folder_is_faulty() -> None:
    assert faulty_backends() == {}
