"""The image, built from the Dockerfile without a Docker daemon, on a base of Debian's own packages.

It needs root, buildah and debootstrap, and takes about three minutes.
"""

import base64
import json
import os
import platform
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from shared.examples import Example
from shared.routing import find_backends
from tests.serving import Served, free_port

ROOT = Path(__file__).parents[1]
TOOLS = ("buildah", "debootstrap")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
LARGEST_MB = 1000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)} (apt-get install)"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for chroot"),
]

Buildah = Callable[..., str]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The command `buildah` with a store of its own."""
    folder = tmp_path_factory.mktemp("buildah")
    places = ["--root", str(folder / "store"), "--runroot", str(folder / "run")]
    yield ["buildah", *places, "--storage-driver", "vfs"]
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def buildah(store: list[str]) -> Buildah:
    def run(*arguments: str) -> str:
        return said([*store, *arguments])

    return run


@pytest.fixture(scope="module")
def image(buildah: Buildah, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of the image for OCR on a CPU."""
    folder = tmp_path_factory.mktemp("base")
    container = buildah("from", "scratch")
    buildah("add", "--quiet", container, str(debian(folder)), "/")
    buildah("commit", "--quiet", "--rm", container, "base")
    shutil.rmtree(folder)
    authority = os.environ.get("SSL_CERT_FILE")
    secret = ["--secret", f"id=ca,src={authority}"] if authority else []
    arguments = [f"--build-arg={key}" for key in ("BASE_IMAGE=localhost/base", "EXTRAS=ocr")]
    where = ["--file", str(ROOT / "docker" / "Dockerfile"), str(ROOT)]
    buildah("build", "--quiet", "--format=docker", "--isolation=chroot", *secret, *arguments,
            "--tag=prelabel:ocr", *where)  # fmt: skip
    return "localhost/prelabel:ocr"


@pytest.fixture(scope="module")
def container(buildah: Buildah, image: str) -> str:
    return buildah("from", image)


def debian(folder: Path) -> Path:
    """A tar file with a minimal Debian and Python, as a base image has it."""
    known = platform.freedesktop_os_release()
    sources = Path("/etc/apt/sources.list.d/debian.sources")
    mirror = re.search(r"^URIs: (\S+)", sources.read_text(), re.M) if sources.exists() else None
    found = [mirror[1]] if mirror else []
    packages = "--include=python3,python3-venv,ca-certificates"
    command = ["debootstrap", "--variant=minbase", packages]
    said([*command, known["VERSION_CODENAME"], str(folder / "root"), *found])
    without = [f"--exclude=./{name}/*" for name in ("dev", "proc", "sys", "var/cache/apt")]
    said(["tar", "-C", str(folder / "root"), *without, "-cf", str(folder / "base.tar"), "."])
    return folder / "base.tar"


def said(command: list[str]) -> str:
    """What a command prints; its errors are those of the test."""
    ran = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"BUILDAH_ISOLATION": "chroot"}
    )
    assert ran.returncode == 0, f"{' '.join(command)}\n{ran.stdout[-2000:]}\n{ran.stderr[-4000:]}"
    return ran.stdout.strip()


def test_the_image_is_small_and_its_user_is_nobody(buildah: Buildah, image: str) -> None:
    [found] = json.loads(buildah("images", "--json", image))
    size, unit = found["size"].split()
    print(f"The OCR image has {found['size']}")  # noqa: T201
    assert unit == "MB"
    assert float(size) < LARGEST_MB
    config = json.loads(buildah("inspect", "--type", "image", image))["Docker"]["config"]
    assert config["User"] == "10001"
    assert list(config["Volumes"]) == ["/cache"]
    assert config["Entrypoint"] == ["prelabel"]
    assert "/health" in " ".join(config["Healthcheck"]["Test"])


def test_its_user_can_write_nothing_but_the_cache(buildah: Buildah, container: str) -> None:
    look = ["sh", "-c", "find / -xdev -type d -writable 2>/dev/null || true"]
    found = set(buildah("run", container, "--", *look).splitlines())
    assert found <= {"/cache", "/tmp", "/var/tmp", "/run/lock"}


def test_its_server_predicts(store: list[str], container: str, tmp_path: Path) -> None:
    port = free_port()
    command = [*store, "run", "--env", f"PORT={port}", container, "--", "prelabel", "serve"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=os.environ | {"BUILDAH_ISOLATION": "chroot"},
        )
    server = Served(process, f"http://127.0.0.1:{port}", tmp_path / "log")
    try:
        server.wait("/health")
        server.wait("/ready")
        picture = (ROOT / "backends" / "ocr" / "examples" / "receipt.png").read_bytes()
        example = Example.of(find_backends()["ocr"])
        [key] = {str(key) for task in example.tasks for key in task["data"]}
        url = "data:image/png;base64," + base64.b64encode(picture).decode()
        body = {
            "tasks": [{"id": 1, "data": {key: url}}],
            "label_config": example.label_config,
            "project": "1.1",
        }
        answer = httpx.post(f"{server.url}/predict", json=body, timeout=100).json()
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)
    texts = [result["value"].get("text") for result in answer["results"][0]["result"]]
    assert ["CORNER MARKET"] in texts
