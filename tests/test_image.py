"""The image, built from the Dockerfile without a Docker daemon, on a base of Debian's own packages.

It needs root, buildah and mmdebstrap, and takes some minutes. The image for exported models
shares the base and adds one.
"""

import base64
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest

from shared.backend.example import Example
from shared.backend.registry import find_backends
from shared.testing import find_differences
from tests.serving import Served, free_port

ROOT = Path(__file__).parents[1]
TOOLS = ("buildah", "mmdebstrap")
DOCUMENTS = ("doc", "info", "locale", "man")
# Backends that serve exported models without PyTorch.
LITE = ("detection", "ner", "text_classification")
EXTRAS = {"ocr": "ocr", "lite": ",".join(f"{name}-lite" for name in LITE)}
LARGEST_MB = {"ocr": 1000, "lite": 600}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

Buildah = Callable[..., str]
Build = Callable[[str], str]
RunIn = Callable[..., str]


def unavailable(reason: str) -> NoReturn:
    """Skips, except in CI, where a missing part must not pass for a success."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The command `buildah` with a store of its own."""
    needs = [tool for tool in TOOLS if shutil.which(tool) is None]
    needs += [] if os.geteuid() == 0 else ["root, for chroot"]
    if needs:
        unavailable(f"This needs {', '.join(needs)}")
    folder = tmp_path_factory.mktemp("buildah")
    command = buildah_in(folder / "own", "overlay" if can_overlay(folder / "tried") else "vfs")
    yield command
    # A server that was killed leaves its file system mounted.
    subprocess.run([*command, "rm", "--all"], capture_output=True)
    shutil.rmtree(folder, ignore_errors=True)


def buildah_in(folder: Path, driver: str) -> list[str]:
    places = ["--root", str(folder / "store"), "--runroot", str(folder / "run")]
    return ["buildah", *places, "--storage-driver", driver]


def can_overlay(folder: Path) -> bool:
    """Return whether containers can lie over their images, which vfs copies for each of them.

    Not every file system can be under that, and not everyone may mount it.
    """
    command = buildah_in(folder, "overlay")
    try:
        said([*command, "commit", "--quiet", said([*command, "from", "scratch"]), "empty"])
        said([*command, "mount", said([*command, "from", "localhost/empty"])])
    except AssertionError:
        return False
    finally:
        subprocess.run([*command, "rm", "--all"], capture_output=True)
    return True


@pytest.fixture(scope="module")
def buildah(store: list[str]) -> Buildah:
    def run(*arguments: str) -> str:
        return said([*store, *arguments])

    return run


@pytest.fixture(scope="module")
def run_in(buildah: Buildah) -> RunIn:
    """Runs a command in a container, and returns what it prints.

    By way of a file there: of a command that ends while the machine is busy, buildah was seen to
    lose what it had printed, with status 0.
    """

    def run(container: str, *command: str) -> str:
        buildah("run", container, "--", "sh", "-c", '"$@" >/tmp/printed', "sh", *command)
        return (Path(buildah("mount", container)) / "tmp" / "printed").read_text().strip()

    return run


@pytest.fixture(scope="module")
def build(buildah: Buildah, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Builds the image of EXTRAS with a tag, and returns its name."""
    folder = tmp_path_factory.mktemp("base")
    container = buildah("from", "scratch")
    buildah("add", "--quiet", container, str(debian(folder)), "/")
    buildah("commit", "--quiet", "--rm", container, "base")
    shutil.rmtree(folder)
    authority = os.environ.get("SSL_CERT_FILE")
    secret = ["--secret", f"id=ca,src={authority}"] if authority else []
    context = checkout(tmp_path_factory.mktemp("context"))
    where = ["--file", str(context / "docker" / "Dockerfile"), str(context)]

    def run(tag: str) -> str:
        arguments = ["--build-arg=BASE_IMAGE=localhost/base", f"--build-arg=EXTRAS={EXTRAS[tag]}"]
        buildah("build", "--quiet", "--format=docker", "--isolation=chroot", *secret, *arguments,
                f"--tag=prelabel:{tag}", *where)  # fmt: skip
        return f"localhost/prelabel:{tag}"

    return run


@pytest.fixture(scope="module")
def image(build: Build) -> str:
    """The name of the image for OCR on a CPU."""
    return build("ocr")


@pytest.fixture(scope="module")
def lite(build: Build) -> str:
    """The name of the image for exported models."""
    return build("lite")


@pytest.fixture(scope="module")
def container(buildah: Buildah, image: str) -> str:
    return buildah("from", image)


def checkout(folder: Path) -> Path:
    """A copy of this one, with weights to bake in."""
    shutil.copy(ROOT / ".dockerignore", folder)
    for name in ("LICENSE", "README.md", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    for name in ("backends", "docker", "shared"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "models" / "own").mkdir(parents=True)
    (folder / "models" / "own" / "weights.onnx").write_text("baked in")
    return folder


def debian(folder: Path) -> Path:
    """A tar file with a minimal Debian and Python, without what slim base images leave out."""
    known = platform.freedesktop_os_release()
    sources = Path("/etc/apt/sources.list.d/debian.sources")
    mirror = re.search(r"^URIs: (\S+)", sources.read_text(), re.M) if sources.exists() else None
    found = [mirror[1]] if mirror else []
    # Without usr-is-merged it is usrmerge that is taken, with all of Perl.
    packages = "--include=usr-is-merged,python3,python3-venv,ca-certificates"
    merged = "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"
    command = ["mmdebstrap", "--quiet", "--variant=minbase", merged, packages]
    said([*command, known["VERSION_CODENAME"], str(folder / "root"), *found])
    unneeded = ("var/cache/apt", "var/lib/apt/lists", *(f"usr/share/{n}" for n in DOCUMENTS))
    without = [f"--exclude=./{name}/*" for name in ("dev", "proc", "sys", *unneeded)]
    said(["tar", "-C", str(folder / "root"), *without, "-cf", str(folder / "base.tar"), "."])
    return folder / "base.tar"


def said(command: list[str]) -> str:
    """What a command prints; its errors are those of the test."""
    ran = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"BUILDAH_ISOLATION": "chroot"}
    )
    assert ran.returncode == 0, f"{' '.join(command)}\n{ran.stdout[-2000:]}\n{ran.stderr[-4000:]}"
    return ran.stdout.strip()


def check_size(buildah: Buildah, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {}
    for one in (name, "localhost/base"):
        [found] = json.loads(buildah("images", "--json", one))
        sizes[one], unit = found["size"].split()
        assert unit == "MB"
    with capsys.disabled():  # CI's output shall show it
        print(f"\n{name} has {sizes[name]} MB, of which its base {sizes['localhost/base']}")  # noqa: T201
    assert float(sizes[name]) <= LARGEST_MB[name.partition(":")[2]]


def test_the_image_is_small(
    buildah: Buildah, image: str, capsys: pytest.CaptureFixture[str]
) -> None:
    check_size(buildah, image, capsys)


def test_the_image_for_exported_models_is_smaller(
    buildah: Buildah, lite: str, capsys: pytest.CaptureFixture[str]
) -> None:
    check_size(buildah, lite, capsys)


def test_how_the_image_is_run(buildah: Buildah, image: str) -> None:
    config = json.loads(buildah("inspect", "--type", "image", image))["Docker"]["config"]
    assert config["User"] == "10001"
    assert list(config["Volumes"]) == ["/cache"]
    assert config["Entrypoint"] == ["prelabel"]
    assert "/health" in " ".join(config["Healthcheck"]["Test"])
    assert config["Labels"]["org.opencontainers.image.title"] == "prelabel"


def test_what_is_in_it(run_in: RunIn, container: str) -> None:
    assert run_in(container, "cat", "/models/own/weights.onnx") == "baked in"
    tried = (
        "import importlib.util as i; print([n for n in ('rapidocr', 'torch') if i.find_spec(n)])"
    )
    assert run_in(container, "python3", "-c", tried) == "['rapidocr']", "EXTRAS=ocr"


def test_its_modules_are_compiled(run_in: RunIn, container: str) -> None:
    """Nothing can be written where they are, so that each start would compile them."""
    tried = (
        "import os, rapidocr.main, shared.server.app, sys;"
        "found = [(n, getattr(m, '__spec__', None)) for n, m in sys.modules.items()];"
        "print([n for n, spec in found if (spec and spec.cached or '').startswith('/opt/prelabel')"
        " and not os.path.exists(spec.cached)])"
    )
    assert run_in(container, "python3", "-c", tried) == "[]"


def test_its_user_can_write_nothing_but_the_cache(run_in: RunIn, container: str) -> None:
    look = ["sh", "-c", "find / -xdev -type d -writable 2>/dev/null || true"]
    found = set(run_in(container, *look).splitlines())
    assert {"/cache", "/tmp"} <= found <= {"/cache", "/tmp", "/var/tmp", "/run/lock"}


@contextmanager
def serving(
    store: list[str], container: str, log: Path, *options: str
) -> Iterator[tuple[Served, list[str]]]:
    """The server in a container, and the command that asks it for its health there."""
    port = free_port()
    run = [*store, "run", "--env", f"PORT={port}"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*run, *options, container, "--", "prelabel", "serve"],
            stdout=out,
            stderr=out,
            start_new_session=True,
            env=os.environ | {"BUILDAH_ISOLATION": "chroot"},
        )
    server = Served(process, f"http://127.0.0.1:{port}", log)
    config = json.loads(said([*store, "inspect", container]))["Docker"]["config"]
    try:
        server.wait("/health")
        server.wait("/ready")
        yield server, [*run, container, "--", *config["Healthcheck"]["Test"][1:]]
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def predict(server: Served, body: dict[str, Any]) -> list[Any]:
    return list(httpx.post(f"{server.url}/predict", json=body, timeout=100).json()["results"])


def test_its_server_predicts(store: list[str], container: str, tmp_path: Path) -> None:
    with serving(store, container, tmp_path / "log") as (server, healthy):
        said(healthy)
        picture = (ROOT / "backends" / "ocr" / "examples" / "receipt.png").read_bytes()
        example = Example.load(find_backends()["ocr"])
        [key] = {str(key) for task in example.tasks for key in task["data"]}
        url = "data:image/png;base64," + base64.b64encode(picture).decode()
        body = {
            "tasks": [{"id": 1, "data": {key: url}}],
            "label_config": example.label_config,
            "project": "1.1",
        }
        [answer] = predict(server, body)
    with pytest.raises(AssertionError, match="refused"):
        said(healthy)
    assert ["CORNER MARKET"] in [result["value"].get("text") for result in answer["result"]]


def test_exported_models_are_served_without_pytorch(
    buildah: Buildah, run_in: RunIn, store: list[str], lite: str, cache_dir: Path, tmp_path: Path
) -> None:
    """The answers are those that the examples expect of the starters themselves."""
    models = tmp_path / "models"
    for name in LITE:
        export = ["export", f"{name}:starter", "--output", str(models / f"{name}-exported")]
        command = [sys.executable, "-m", "shared.cli", *export]
        subprocess.run(
            command, check=True, cwd=ROOT, env=os.environ | {"CACHE_DIR": str(cache_dir)}
        )
    container = buildah("from", lite)
    own = "import backends, os; print(os.path.dirname(backends.__file__))"
    variables = {f"{name.upper()}_MODEL": f"{name}-exported" for name in LITE}
    variables["LOCAL_FILES_ROOT"] = run_in(container, "python3", "-c", own)
    options = [f"--env={name}={value}" for name, value in variables.items()]
    with serving(store, container, tmp_path / "log", f"--volume={models}:/models:ro", *options) as (
        server,
        _,
    ):
        for name in LITE:
            example = Example.load(find_backends()[name])
            found = predict(server, example.predict_request())
            assert find_differences(found, example.expected) == [], name
