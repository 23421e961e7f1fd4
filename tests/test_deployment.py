"""The files in docker/: valid by their schemas, and in agreement with server and documents."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from starlette.testclient import TestClient

from backends.pattern import PatternBackend
from shared.backend.registry import find_backends
from shared.server.app import create_app
from shared.server.backend_service import BackendService
from shared.server.worker import GRACE_SECONDS
from shared.settings import Settings, read_settings, setting_rows

ROOT = Path(__file__).parents[1]
DOCKER = ROOT / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
GPU: dict[str, Any] = yaml.safe_load((DOCKER / "compose.gpu.yaml").read_text())
RESOURCES: dict[str, dict[str, Any]] = {
    one["kind"]: one for one in yaml.safe_load_all((DOCKER / "kubernetes.yaml").read_text())
}
DOCKERFILE = (DOCKER / "Dockerfile").read_text()
GITHUB = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(path.name for path in GITHUB.iterdir())
DEV = ROOT / ".devcontainer"
OURS, THEIRS = COMPOSE["services"]["prelabel"], COMPOSE["services"]["label-studio"]
SETTINGS = {
    name
    for settings in (Settings, *(cls.settings_class for cls in find_backends().values()))
    for name, _, _ in setting_rows(settings)
}


def container() -> dict[str, Any]:
    [only] = RESOURCES["Deployment"]["spec"]["template"]["spec"]["containers"]
    return only


def instruction(word: str) -> str:
    """Return the argument of the Dockerfile's last instruction of that name."""
    return re.findall(rf"^{word} (\S+)$", DOCKERFILE, re.MULTILINE)[-1]


# Schemas


@pytest.mark.parametrize("name", ["compose.yaml", "compose.gpu.yaml"])
def test_compose_file_by_the_specifications_schema(name: str) -> None:
    checker = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    ran = subprocess.run([*checker, str(DOCKER / name)], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflow_by_githubs_schema(name: str) -> None:
    checker = [sys.executable, "-m", "check_jsonschema"]
    checker += ["--builtin-schema", "vendor.github-workflows", str(GITHUB / name)]
    ran = subprocess.run(checker, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("kind", RESOURCES)
@pytest.mark.parametrize("version", ["1.30", "1.37"])
def test_resource_by_the_schema_of_kubernetes(kind: str, version: str) -> None:
    kubernetes_validate.validate(RESOURCES[kind], version, strict=True)


def test_every_resource_is_checked() -> None:
    assert set(RESOURCES) >= {"Deployment", "Service", "HorizontalPodAutoscaler", "NetworkPolicy"}


# Facts


def test_release_of_label_studio_is_the_one_that_is_tested() -> None:
    version = re.search(r"^LABEL_STUDIO_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.M)
    assert version is not None
    assert THEIRS["image"] == f"heartexlabs/label-studio:{version[1]}"


def test_every_variable_is_a_setting() -> None:
    named = {*OURS["environment"], *GPU["services"]["prelabel"]["environment"]}
    named |= {variable["name"] for variable in container()["env"]}
    assert named <= SETTINGS


def test_workflows_run_what_there_is() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.M))
    text = "".join((GITHUB / name).read_text() for name in WORKFLOWS)
    text += (DEV / "devcontainer.json").read_text()
    commands = re.findall(r"\bmake ([a-z0-9 -]+)", text)
    assert commands == ["check docs", "install e2e-install"]
    assert {target for command in commands for target in command.split()} <= targets
    assert (ROOT / ".ci" / "run").is_file()
    image = yaml.safe_load((GITHUB / "image.yaml").read_text())["jobs"]["image"]
    matrix = image["strategy"]["matrix"]
    assert set(matrix["extras"]) == {name for name in find_backends() if name != "pattern"}
    offered = re.findall(r"^(\S+-lite) =", (ROOT / "pyproject.toml").read_text(), re.M)
    assert matrix["include"] == [{"tag": "lite", "extras": ",".join(offered)}]


def test_dev_container_has_what_ci_installs() -> None:
    listed = re.search(r"^for package in (.+); do$", (ROOT / ".ci" / "run").read_text(), re.M)
    installed = re.search(
        r"--no-install-recommends (.+?) &&", " ".join((DEV / "Dockerfile").read_text().split())
    )
    assert listed is not None
    assert installed is not None
    assert installed[1].replace("\\", "").split() == listed[1].split()
    assert (
        json.loads((DEV / "devcontainer.json").read_text())["build"]["dockerfile"] == "Dockerfile"
    )


def test_both_sides_have_one_token() -> None:
    names = re.compile(r"\$\{(\w+)")
    [ours] = names.findall(OURS["environment"]["LABEL_STUDIO_API_KEY"])
    [theirs] = names.findall(THEIRS["environment"]["LABEL_STUDIO_USER_TOKEN"])
    assert ours == theirs == "LABEL_STUDIO_API_KEY"


def test_name_of_this_server_has_a_dot() -> None:
    """Label Studio creates no webhook for a name without one."""
    [alias] = OURS["networks"]["default"]["aliases"]
    assert "." in alias
    assert f"http://{alias}:{instruction('EXPOSE')}" in (DOCKER / "compose.yaml").read_text()


def test_requests_under_way_get_the_time_that_the_server_gives_them() -> None:
    assert int(OURS["stop_grace_period"].removesuffix("s")) > GRACE_SECONDS
    pod = RESOURCES["Deployment"]["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > GRACE_SECONDS


def test_ports() -> None:
    port = int(instruction("EXPOSE"))
    assert f"PORT={port}" in DOCKERFILE
    assert container()["ports"] == [{"name": "http", "containerPort": port}]
    [service] = RESOURCES["Service"]["spec"]["ports"]
    assert (service["port"], service["targetPort"]) == (port, "http")
    assert OURS.get("ports") is None, "nobody but Label Studio need reach it"
    assert all(entry.startswith("127.0.0.1:") for entry in THEIRS["ports"])


def test_nothing_but_the_cache_can_be_written() -> None:
    assert OURS["read_only"] is True
    assert OURS["cap_drop"] == ["ALL"]
    assert OURS["user"] == instruction("USER")
    writable = [volume for volume in OURS["volumes"] if not volume.endswith(":ro")]
    assert writable == [f"cache:{instruction('VOLUME')}"]
    security = container()["securityContext"]
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    pod = RESOURCES["Deployment"]["spec"]["template"]["spec"]
    assert str(pod["securityContext"]["runAsUser"]) == instruction("USER")
    assert {mount["mountPath"] for mount in container()["volumeMounts"]} == {"/cache", "/tmp"}


def test_both_read_the_same_files() -> None:
    root = OURS["environment"]["LOCAL_FILES_ROOT"]
    assert root == THEIRS["environment"]["LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"]
    [ours] = [volume for volume in OURS["volumes"] if f":{root}:" in volume]
    assert ours in THEIRS["volumes"]


def test_arguments_are_those_of_the_dockerfile() -> None:
    known = set(re.findall(r"^ARG (\w+)", DOCKERFILE, re.MULTILINE))
    assert known >= {"BASE_IMAGE", "EXTRAS", "TORCH_BACKEND"}
    for service in (OURS, GPU["services"]["prelabel"]):
        assert set(service["build"]["args"]) <= known


def test_documented_commands_fit_the_files() -> None:
    text = (ROOT / "docs" / "deployment.md").read_text()
    arguments = set(re.findall(r"^ARG (\w+)", DOCKERFILE, re.MULTILINE))
    assert set(re.findall(r"--build-arg (\w+)=", text)) <= arguments
    assert all((ROOT / file).exists() for file in re.findall(r" -f (docker/\S+)", text))
    [seconds] = re.findall(r"docker stop -t (\d+)", text)
    assert int(seconds) > GRACE_SECONDS
    assert f"the {GRACE_SECONDS} s that the server grants" in text


STUB = """#!/bin/sh
echo "$(basename "$0") $*" >> "$RECORD"
if [ "$2" = venv ]; then mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && cp "$0" "$3/bin/uv"; fi
"""


def recorded_commands(folder: Path, **arguments: str) -> list[str]:
    """Run the Dockerfile's first stage with a Python and a uv that only record their commands."""
    [script] = re.findall(r"^RUN --mount\S+ (.+?)\n\n", DOCKERFILE, re.DOTALL | re.MULTILINE)
    (folder / "models").mkdir()
    (folder / "models" / "LICENSE").touch()
    (folder / "python3").write_text(STUB)
    (folder / "python3").chmod(0o755)
    script = script.replace("\\\n", " ").replace("/opt/", f"{folder}/")
    variables = {"PATH": f"{folder}:/usr/bin:/bin", "RECORD": str(folder / "record"), **arguments}
    subprocess.run(["sh", "-ec", script], env=variables, check=True, timeout=60)
    return (folder / "record").read_text().splitlines()


@pytest.mark.parametrize(
    ("backend", "words"),
    [("", ""), ("cpu", " --torch-backend cpu"), ("cu126", " --torch-backend cu126")],
)
def test_build_of_torch_is_left_to_uv(backend: str, words: str, tmp_path: Path) -> None:
    """PyTorch's own index, which has the other builds, cannot be reached here: see below."""
    lines = recorded_commands(tmp_path, EXTRAS="ner,ocr", TORCH_BACKEND=backend, INDEX_URL="")
    [install] = [line for line in lines if line.startswith("uv pip install")]
    assert install.endswith(f"--constraints requirements.lock{words} .[label-studio-ml,ner,ocr]")


def test_image_without_a_choice_has_every_backend(tmp_path: Path) -> None:
    """By the folders: a new one is in the image by itself; what only tests need is not."""
    lines = recorded_commands(tmp_path, EXTRAS="", TORCH_BACKEND="", INDEX_URL="")
    [install] = [line for line in lines if line.startswith("uv pip install")]
    names = sorted(path.parent.name for path in ROOT.glob("backends/[!_]*/backend.py"))
    assert install.endswith(f" .[label-studio-ml,{','.join(names)}]")
    assert OURS["build"]["args"]["EXTRAS"] == "${EXTRAS:-}"


@pytest.mark.parametrize(
    ("extras", "installed", "removed"),
    [
        ("ner-lite", " --excludes unused-by-lite.txt .[ner-lite]", "uv pip setuptools"),
        ("ner-lite,detection-lite", ".txt .[ner-lite,detection-lite]", "uv pip setuptools"),
        ("ner-lite,ocr", " requirements.lock .[label-studio-ml,ner-lite,ocr]", "uv pip"),
    ],
)
def test_image_without_pytorch_lacks_what_its_server_does_not_use(
    extras: str, installed: str, removed: str, tmp_path: Path
) -> None:
    lines = recorded_commands(tmp_path, EXTRAS=extras, TORCH_BACKEND="", INDEX_URL="")
    [install] = [line for line in lines if line.startswith("uv pip install")]
    [uninstall] = [line for line in lines if "pip uninstall" in line]
    assert install.endswith(installed)
    assert uninstall.endswith(f"--yes {removed}")


def test_uv_has_these_builds_of_torch() -> None:
    args = [file["services"]["prelabel"]["build"]["args"] for file in (COMPOSE, GPU)]
    assert [arguments["TORCH_BACKEND"] for arguments in args] == [
        "${TORCH_BACKEND:-cpu}",
        "${TORCH_BACKEND:-cu126}",
    ]
    compile_nothing = [Path(sys.executable).parent / "uv", "pip", "compile", "--offline", "-"]
    taken = {}
    for backend in ("cpu", "cu126", "cu0"):
        command = [*compile_nothing, "--torch-backend", backend]
        taken[backend] = subprocess.run(command, input=b"", capture_output=True).returncode
    assert taken == {"cpu": 0, "cu126": 0, "cu0": 2}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    app = create_app(BackendService([PatternBackend], named=["pattern"]), read_settings(Settings))
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize("probe", ["startupProbe", "livenessProbe", "readinessProbe"])
def test_probe_asks_an_endpoint(probe: str, client: TestClient) -> None:
    request = container()[probe]["httpGet"]
    assert request["port"] == "http"
    assert client.get(request["path"]).status_code == 200


def test_autoscaler_looks_at_a_metric_of_ours(client: TestClient) -> None:
    [metric] = RESOURCES["HorizontalPodAutoscaler"]["spec"]["metrics"]
    name = metric["pods"]["metric"]["name"]
    assert f"\n# TYPE {name} gauge\n" in client.get("/metrics").text
    annotations = RESOURCES["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/path"] == "/metrics"
    assert annotations["prometheus.io/port"] == instruction("EXPOSE")
    target = RESOURCES["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert target["name"] == RESOURCES["Deployment"]["metadata"]["name"]
