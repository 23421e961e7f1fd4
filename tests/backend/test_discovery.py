"""A faulty folder of `backends/`, or a faulty entry point, costs only itself, and is named."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

import backends
from shared.backend.discovery import discover
from shared.backend.registry import choose_backends, faulty_backends, find_backends
from shared.errors import SettingError
from shared.server.app import create_app
from shared.server.backend_service import BackendService
from shared.settings import Settings

Add = Callable[..., None]
REPO = Path(__file__).parents[2]

WHOLE = """
from shared.backend.base import Backend

class {title}Backend(Backend):
    name = "{name}"

    def infer(self, model, items):
        return items

    def regions(self, output, claim):
        return []
"""


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Add]:
    """Adds folders to `backends`, whose names must be of this test alone."""
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(tmp_path / "more")])
    before = set(find_backends())

    def write(folder: str, init: str, **modules: str) -> None:
        place = tmp_path / "more" / folder
        place.mkdir(parents=True)
        for name, code in {"__init__": init, **modules}.items():
            (place / f"{name}.py").write_text(code)
        discover.cache_clear()

    yield write
    discover.cache_clear()
    monkeypatch.undo()
    assert set(find_backends()) == before


def whole(name: str) -> str:
    return WHOLE.format(name=name, title=name.title().replace("_", ""))


def test_folder_whose_library_is_not_installed(add: Add) -> None:
    add("missing_lib", "import no_such_library\n" + whole("missing_lib"))
    add("good_one", whole("good_one"))
    assert {"good_one", "pattern", "ner"} <= set(find_backends())
    assert faulty_backends() == {
        "missing_lib": "backends/missing_lib cannot be imported: ModuleNotFoundError: No module"
        " named 'no_such_library'; import no_such_library in `load` and name it in `modules`, or"
        " install it"
    }


@pytest.mark.parametrize(
    ("folder", "code", "said"),
    [
        (
            "leaves",
            "raise SystemExit('bye')",
            "cannot be imported: it ends the program (SystemExit)",
        ),
        ("wrong_code", "def broken(:\n", "cannot be imported: SyntaxError: "),
        ("wrong_call", "1 / 0\n", "cannot be imported: ZeroDivisionError: division by zero"),
        ("wrong_import", "from json import loadz\n", "cannot import name 'loadz' from 'json' (…/"),
        ("nothing_in", "", "its __init__.py imports no subclass of Backend"),
        (
            "nameless",
            "from shared.backend.base import Backend\nclass Mine(Backend):\n    pass\n",
            'Mine has no name; expected name = "nameless", as its folder',
        ),
        (
            "misnamed",
            whole("other_name"),
            'OtherNameBackend is named "other_name"; expected name = "misnamed", as its folder',
        ),
        (
            "clashing",
            whole("pattern"),
            'PatternBackend is named "pattern"; expected name = "clashing", as its folder',
        ),
        (
            "twice",
            whole("twice") + whole("twice").replace("TwiceBackend", "Second"),
            'TwiceBackend and Second are both named "twice"; give each a folder of its own',
        ),
        (
            "unfinished",
            whole("unfinished").partition("    def regions")[0],
            "UnfinishedBackend lacks regions",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isidentifier() else "",
)
def test_faulty_folder(folder: str, code: str, said: str, add: Add) -> None:
    known = dict(find_backends())
    add(folder, code)
    assert find_backends() == known
    assert list(faulty_backends()) == [folder]
    assert faulty_backends()[folder].startswith(f"backends/{folder}")
    assert said in faulty_backends()[folder]
    assert "/usr/" not in faulty_backends()[folder]
    with pytest.raises(SettingError, match=f"^backends/{folder}"):
        choose_backends([folder])


def test_helper_classes_are_no_fault(add: Add) -> None:
    """A base without a name, and a class of another folder that is built on."""
    base = "from shared.backend.base import Backend\nclass Base(Backend):\n    pass\n"
    code = whole("on_a_base").replace("(Backend)", "(Base)")
    imports = (
        "from backends.pattern import PatternBackend\nfrom backends.on_a_base.base import Base\n"
    )
    add("on_a_base", imports + code, base=base)
    assert find_backends()["on_a_base"].__name__ == "OnABaseBackend"
    assert faulty_backends() == {}


def test_second_class_of_another_name_is_named(add: Add) -> None:
    add("has_two", whole("has_two") + whole("has_more"))
    assert "has_two" in find_backends()
    assert "has_more" not in find_backends()
    [(name, said)] = faulty_backends().items()
    assert name == "has_two:HasMoreBackend"
    assert said.startswith('backends/has_two: HasMoreBackend is named "has_more"; expected')


def test_faulty_entry_points(add: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    (site / "offers-1.dist-info").mkdir(parents=True)
    (site / "offers-1.dist-info" / "METADATA").write_text("Name: offers\nVersion: 1\n")
    (site / "offers-1.dist-info" / "entry_points.txt").write_text(
        "[prelabel.backends]\npattern = offers:PatternBackend\nfine = offers:FineBackend\n"
        "gone = offers:Gone\nplain = offers:Plain\n"
    )
    classes = whole("pattern") + whole("fine") + "class Plain(Backend):\n    pass\n"
    (site / "offers.py").write_text(classes)
    monkeypatch.syspath_prepend(str(site))
    discover.cache_clear()
    assert find_backends()["fine"].__module__ == "offers"
    assert find_backends()["pattern"].__module__ == "backends.pattern.backend"
    assert faulty_backends() == {
        "offers:PatternBackend": 'offers:PatternBackend is named "pattern", as another backend is'
        " already",
        "gone": "offers:Gone cannot be imported: AttributeError: module 'offers' has no attribute"
        " 'Gone'",
        "plain": "offers:Plain has no name",
    }


def test_status_shows_it_and_the_others_serve(add: Add) -> None:
    add("shown_fault", "import no_such_library\n")
    service = BackendService(choose_backends(["pattern"]), ["pattern"], faults=faulty_backends())
    with TestClient(create_app(service, Settings())) as client:
        assert "No module named" in client.get("/status").json()["problems"]["shown_fault"]
        assert client.get("/ready").json()["failed"] == {}
        assert client.get("/pattern/health").status_code == 200


NAMED = """
import sys
import shared
shared.is_own_program = True
from shared.backend.registry import choose_backends
choose_backends(["pattern"])
print(sorted(name for name in sys.modules if name.count(".") == 1 and name.startswith("backends.")))
print([name for name in ("label_studio_ml", "redis", "cv2") if name in sys.modules])
"""


def test_a_named_backend_is_imported_without_the_others() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", NAMED], capture_output=True, text=True, cwd=REPO, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["['backends.pattern']", "[]"]
