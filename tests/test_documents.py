"""The documents are right: blocks are executed, and everything that they name exists."""

import importlib
import importlib.util
import inspect
import json
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import textwrap
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from shared.backend import Backend
from shared.backend.registry import find_backends
from shared.cli import COMMANDS, app
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.official_examples.variables import VARIABLES
from shared.settings import BackendSettings, Settings, variable_names

from .documents import PAGES, REPO, settings_page
from .documents.__main__ import GENERATED
from .documents.add_a_backend import END, GUIDE, run_python
from .object_store import S3Bucket

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"`([\w/]+\.py)`")
# Not ours: of the official examples, Label Studio, uv, a network, Ray, or OpenTelemetry.
OTHER_VARIABLES = {
    *(one.name for one in VARIABLES),
    *("ML_BLOCK_LOCAL_IP", "SSRF_PROTECTION_ENABLED", "TORCH_BACKEND", "LABEL_1", "LABEL_2"),
    # Of Hugging Face and of the trackers of trainings; another name of a setting.
    *("HF_TOKEN", "HF_ENDPOINT", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"),
    *("WANDB_API_KEY", "WANDB_PROJECT"),
    # Of object stores.
    *("AWS_PROFILE", "AWS_ENDPOINT_URL"),
    *("AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_ACCOUNT_NAME"),
    "GOOGLE_APPLICATION_CREDENTIALS",
    *("NUMPY_MADVISE_HUGEPAGE", "RAY_ADDRESS"),
    *("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_SERVICE_NAME", "OTEL_TRACES_SAMPLER"),
}

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))


def code_blocks(page: Path, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(page.read_text()) if kind == language]


def python_examples() -> list[str]:
    """Return the Python blocks that stand for themselves; those of the guide are files."""
    return [code for page in PAGES if page != GUIDE for code in code_blocks(page, "python")]


def named_commands(page: Path) -> list[str]:
    """Return the commands of a page: the lines of shell blocks, and inline code."""
    lines = "".join(code_blocks(page, "sh")).replace("\\\n", " ").splitlines()
    return [*lines, *CODE.findall(page.read_text())]


def named_code(page: Path, pattern: str) -> set[str]:
    """Return the whole pieces of inline code that match a pattern."""
    return {code for code in CODE.findall(page.read_text()) if re.fullmatch(pattern, code)}


# Blocks


@pytest.mark.parametrize("code", python_examples())
def test_python_runs(code: str, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr


def run_block(block: str, folder: Path, **variables: str) -> None:
    """Run the commands of a block, of which each may begin with variables of its own."""
    for line in block.splitlines():
        own = dict(re.findall(r"(?:^| )([A-Z_]+)=(\S+)(?= )", line.partition("prelabel")[0]))
        command = line[line.index("prelabel") :].split()[1:]
        run = subprocess.run(
            [sys.executable, "-m", "shared.cli", *command],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(REPO)} | variables | own,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert run.returncode == 0, run.stdout + run.stderr


def copy_example(backend: str, folder: Path) -> None:
    """Copy the example of a backend under the names that pages use."""
    shutil.copy(REPO / "backends" / backend / "tasks.json", folder / "tasks.json")
    shutil.copy(REPO / "backends" / backend / "label_config.xml", folder / "config.xml")


def test_file_commands_run(tmp_path: Path) -> None:
    [block] = [b for b in code_blocks(REPO / "docs" / "files.md", "sh") if "prelabel predict" in b]
    copy_example("pattern", tmp_path)
    run_block(block, tmp_path)
    assert "3 May 2024" in (tmp_path / "predicted.json").read_text()


def test_object_store_commands_run(tmp_path: Path, s3: S3Bucket) -> None:
    blocks = code_blocks(REPO / "docs" / "object-stores.md", "sh")
    [block] = [block for block in blocks if "prelabel predict" in block]
    copy_example("pattern", tmp_path)
    s3.put("tasks.jsonl", (tmp_path / "tasks.json").read_bytes())
    run_block(block.replace("s3://bucket/", f"{s3.address}/"), tmp_path)
    assert b"3 May 2024" in s3.get("predicted.jsonl")


def test_prompt_commands_run(tmp_path: Path) -> None:
    blocks = code_blocks(REPO / "docs" / "prompt.md", "sh")
    [block] = [block for block in blocks if "prelabel prompt" in block]
    copy_example("prompt", tmp_path)
    # Nothing is sent without --run: there is no such server.
    run_block(block, tmp_path, PROMPT_MODEL="any", PROMPT_BASE_URL="http://127.0.0.1:9/v1")


@every_page
def test_label_configs_can_be_read(page: Path) -> None:
    for xml in code_blocks(page, "xml"):
        assert LabelConfig.parse(xml).controls


@pytest.mark.slow
def test_the_guide_makes_a_backend_that_conforms(guide: Path) -> None:
    """Followed step by step; then ruff, mypy and the conformance tests, which find the folder."""
    for words in (
        ["ruff", "check", "backends"],
        ["ruff", "format", "--check", "backends"],
        ["mypy", "-p", "backends.mood"],
    ):
        run_python(guide, "-m", *words)
    tests = ["tests/test_conformance.py", "tests/test_structure.py", "-k", "Mood or mood"]
    output = run_python(guide, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    assert "7 passed" in output


@pytest.mark.slow
def test_the_backend_of_the_guide_learns_from_annotations(guide: Path, tmp_path: Path) -> None:
    """In the copy of the repository, as a training does it: a dataset, `train`, predictions."""
    script = REPO / "tests" / "documents" / "train_mood.py"
    answers = json.loads(run_python(guide, str(script), str(tmp_path)))
    found = [answer["result"][0]["value"]["choices"] for answer in answers]
    assert found == [["Puzzled"], ["Annoyed"], ["Puzzled"]]
    versions = {answer["model_version"].rsplit("-", 1)[0] for answer in answers}
    assert versions == {"mood-v1-1a2b3c4d"}


def test_the_example_of_the_contract_runs() -> None:
    """The example in the docstring of Backend marks the first word of each text."""
    text = inspect.getdoc(Backend) or ""
    namespace: dict[str, type[Backend]] = {}
    exec(textwrap.dedent("\n".join(re.findall(r"^    .*|^$", text, re.MULTILINE))), namespace)
    labels = '<Labels name="l" toName="t"><Label value="Word"/></Labels>'
    config = f'<View><Text name="t" value="$t"/>{labels}</View>'
    backend = namespace["FirstWord"](label_config=config)
    [prediction] = backend.predict([{"id": 1, "data": {"t": "Hello world"}}])
    assert [result["value"]["text"] for result in prediction["result"]] == ["Hello"]


# What is named


def test_hooks_of_the_guide_exist() -> None:
    """Each item of the guide's lists begins with one or two hooks of Backend."""
    hooks = re.findall(r"^- `(\w+)(?: = \w+)?`(?: and `(\w+)`)?", GUIDE.read_text(), re.MULTILINE)
    assert len(hooks) > 10
    assert [hook for pair in hooks for hook in pair if hook and not hasattr(Backend, hook)] == []


@cache
def help_text(command: str) -> str:
    """Return the help text of a command of prelabel."""
    for name in COMMANDS:  # each registers itself
        importlib.import_module(f"shared.cli.{name}")
    run = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    assert run.exit_code == 0, f"prelabel {command}: {run.output}"
    return str(run.output)


@every_page
def test_commands_exist(page: Path) -> None:
    for line in named_commands(page):
        if made := re.match(r"(?:\w+=\S+ )*make ((?:[a-z][a-z0-9-]*\s?)+)", line):
            for target in made[1].split():
                makefile = (REPO / "Makefile").read_text()
                assert re.search(rf"^{target}:", makefile, re.MULTILINE), line
        if called := re.search(r"(?:^|[ /])prelabel ([a-z]+)\b(.*)", line):
            for option in re.findall(r"(?<= )--?[a-z][a-z-]*", called[2]):
                assert re.search(rf"(?<![\w-]){option}(?![\w-])", help_text(called[1])), line
            assert help_text(called[1])
        if (module := re.search(r"python -m ([\w.]+)", line)) and ".mood" not in line:
            assert importlib.util.find_spec(module[1]), line


@every_page
def test_paths_exist(page: Path) -> None:
    for path in named_code(page, r"(?:shared|backends|tests|docker|docs)/[\w./*-]*"):
        if not path.startswith("backends/mood"):
            assert any(REPO.glob(path)), path


@every_page
def test_tests_exist(page: Path) -> None:
    for test in named_code(page, r"tests/[\w/]+\.py::test_\w+"):
        file, _, name = test.partition("::")
        assert re.search(rf"^def {name}\(", (REPO / file).read_text(), re.MULTILINE), test


@every_page
def test_python_names_exist(page: Path) -> None:
    for name in named_code(page, r"(?:shared|backends|tests)(?:\.\w+)+"):
        pkgutil.resolve_name(name)


@every_page
def test_variables_exist(page: Path) -> None:
    classes = [Settings, *(backend.settings_class for backend in find_backends().values())]
    known = {name for settings in classes for name in variable_names(settings)}
    text = " ".join([*CODE.findall(page.read_text()), *code_blocks(page, "sh")])
    names = set(re.findall(r"(?<![\w-])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b(?!-)", text))
    assert names - known <= OTHER_VARIABLES


def test_the_path_of_a_task_is_as_documented() -> None:
    """A warm request enters the files of the page's table in their order, without a turn back."""
    section = (
        (REPO / "docs" / "architecture.md").read_text().partition("\n## The path of a task\n")[2]
    )
    rows = re.findall(r"^\| \d+ \|.*", section.partition("\n## ")[0], re.MULTILINE)
    first_time = {
        file for row in rows if "For a new label config" in row for file in FILE.findall(row)
    }
    documented = dict.fromkeys(file for row in rows for file in FILE.findall(row))
    run = subprocess.run(
        [sys.executable, "-m", "tests.documents.task_path"],
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    entered = run.stdout.splitlines()
    routes = {"shared/server/app.py"}  # a table that is read once
    path = [file for file in documented if file not in first_time | routes]
    assert [file for file in entered if file in path] == path


@pytest.mark.parametrize(
    "pattern",
    [
        r"ThreadPoolExecutor\(|threading\.Thread\(|FairPool\(|CapacityLimiter\(",
        r"(TextCache|LRUCache)\(",
    ],
    ids=["threads", "caches"],
)
def test_all_threads_and_caches_are_in_the_architecture(pattern: str) -> None:
    text = (REPO / "docs" / "architecture.md").read_text()
    files = [*REPO.glob("shared/**/*.py"), *REPO.glob("backends/**/*.py")]
    for file in files:
        if "starter" not in file.parts and re.search(pattern, file.read_text("utf-8")):
            assert f"`{file.relative_to(REPO)}`" in text


@every_page
def test_packages_are_installed_by_the_uv_that_is_there(page: Path) -> None:
    """`make install` leaves it in `.venv/bin`; a plain pip would bring what uv's overrides undo."""
    here, _, elsewhere = page.read_text().partition(END)
    assert not re.findall(r"(?<!\.venv/bin/uv )pip install -e", here + elsewhere)
    assert not re.findall(r"(?<!uv )pip install \S*prelabel", here + elsewhere)
    assert "prelabel[" not in here, "no registry has it"


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text()):
        linked = page.parent / target if target else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), f"{target}#{anchor}"


def test_every_closed_door_has_its_test() -> None:
    section = (REPO / "docs" / "security.md").read_text().partition("\n## Closed doors\n")[2]
    rows = re.findall(r"^\| (?!tried|---).*\|$", section.partition("\n## ")[0], re.MULTILINE)
    assert len(rows) > 20
    for row in rows:
        test = re.search(r"`(tests/[\w/]+\.py)::(test_\w+)` \|$", row)
        assert test is not None, row
        assert re.search(rf"^def {test[2]}\(", (REPO / test[1]).read_text(), re.MULTILINE), row


# Generated pages, and the site


@pytest.mark.parametrize("page", GENERATED, ids=lambda page: page.name)
def test_generated_page_is_current(page: Path) -> None:
    assert page.read_text("utf-8") == GENERATED[page](), "run `make docs`"


@pytest.mark.parametrize("name", sorted(find_backends()))
def test_every_setting_of_a_backend_is_in_its_readme(name: str) -> None:
    settings = find_backends()[name].settings_class
    if settings is BackendSettings:
        return
    text = (REPO / "backends" / name / "README.md").read_text()
    rows = [row.removesuffix(" |") for row in settings_page.table_rows(settings)]
    assert [row for row in rows if row not in text] == []


def test_every_backend_is_in_the_readme() -> None:
    text = (REPO / "README.md").read_text()
    assert [name for name in find_backends() if f"\n| [{name}](backends/{name}/" not in text] == []


def test_readme_is_short() -> None:
    assert len((REPO / "README.md").read_text().splitlines()) <= 150


def test_every_page_is_in_the_navigation_or_is_linked() -> None:
    navigation = (REPO / "zensical.toml").read_text()
    text = {page: page.read_text() for page in PAGES}
    for page in PAGES:
        beside = text.get(page.parents[1] / "README.md", "")
        listed = f'"{page.relative_to(REPO)}"' in navigation
        assert listed or f"({page.parent.name}/README.md)" in beside, page
