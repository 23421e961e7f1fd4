"""docker/kuberay.yaml: valid by schemas, and a command, resources and settings that there are."""

import importlib.util
import re
import shlex
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from typer.main import get_command

from shared.backend.registry import find_backends
from shared.bulk.ray_engine.cluster import CORES_PER_MODEL
from shared.cli.predict import app
from shared.settings import Settings, variable_names

FILE = Path(__file__).parents[1] / "docker" / "kuberay.yaml"
JOB: dict[str, Any] = yaml.safe_load(FILE.read_text())
SPEC = JOB["spec"]
CLUSTER = SPEC["rayClusterSpec"]
GROUPS = {"head": CLUSTER["headGroupSpec"], "worker": CLUSTER["workerGroupSpecs"][0]}

TEMPLATE = {"type": "object", "required": ["spec"], "properties": {"metadata": {}, "spec": {}}}
PARAMETERS = {"type": "object", "additionalProperties": {"type": "string"}}
COUNT = {"type": "integer", "minimum": 0}


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    """An object of these properties alone."""
    return {
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": False,
    }


# What this file uses of KubeRay's custom resource definition (ray.io_rayjobs.yaml, version v1).
RAY_JOB = closed(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayJob"},
    metadata={"type": "object", "required": ["name"]},
    spec=closed(
        ["entrypoint", "rayClusterSpec"],
        entrypoint={"type": "string", "minLength": 1},
        backoffLimit=COUNT,
        shutdownAfterJobFinishes={"type": "boolean"},
        ttlSecondsAfterFinished=COUNT,
        rayClusterSpec=closed(
            ["headGroupSpec"],
            rayVersion={"type": "string"},
            headGroupSpec=closed(["template"], rayStartParams=PARAMETERS, template=TEMPLATE),
            workerGroupSpecs={
                "type": "array",
                "minItems": 1,
                "items": closed(
                    ["groupName", "maxReplicas", "minReplicas", "template"],
                    groupName={"type": "string"},
                    replicas=COUNT,
                    minReplicas=COUNT,
                    maxReplicas=COUNT,
                    rayStartParams=PARAMETERS,
                    template=TEMPLATE,
                ),
            },
        ),
    ),
)


def container(group: str) -> dict[str, Any]:
    [only] = GROUPS[group]["template"]["spec"]["containers"]
    return only


def test_job_by_the_schema_of_kuberay() -> None:
    jsonschema.validate(JOB, RAY_JOB)


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("version", ["1.30", "1.37"])
def test_pods_by_the_schema_of_kubernetes(group: str, version: str) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", **GROUPS[group]["template"]}
    kubernetes_validate.validate(pod, version, strict=True)


def test_entrypoint_is_a_command_that_there_is() -> None:
    name, command, *words = shlex.split(SPEC["entrypoint"])
    assert name == "prelabel"
    known: Any = get_command(app)
    context = known.commands[command].make_context(command, words, resilient_parsing=True)
    given = {key: value for key, value in context.params.items() if value}
    assert given["engine"].value == "ray"
    assert given["resume"], "a job that is tried again continues"
    assert given["backend"][0] in find_backends()
    assert {given["inputs"][0], given["output"]} == {"/data/tasks.jsonl", "/data/predicted"}
    assert SPEC["backoffLimit"] > 0


def test_an_actor_fits_a_worker_and_none_the_head() -> None:
    assert GROUPS["head"]["rayStartParams"] == {"num-cpus": "0"}
    limits = container("worker")["resources"]["limits"]
    assert int(limits["cpu"]) == CORES_PER_MODEL


def test_the_image_has_what_the_job_needs() -> None:
    """Its extras are built in: the backend, the engine, and what KubeRay asks a cluster for."""
    [extras] = re.findall(r"^# .*--build-arg EXTRAS=(\S+) -t prelabel \.$", FILE.read_text(), re.M)
    project = (FILE.parents[1] / "pyproject.toml").read_text()
    known = dict(re.findall(r"^([\w-]+) = \[(.*)$", project, re.M))
    assert set(extras.split(",")) <= known.keys()
    *_, backend = re.findall(r"--backend (\S+)", SPEC["entrypoint"])
    assert backend in extras.split(",")
    assert container("head")["image"] == "prelabel"
    needed = {"prelabel[ray]", "ray[default]"}
    assert needed <= set(re.findall(r'"([\w-]+\[\w+\])', known["kuberay"]))


def test_the_version_of_ray_is_the_one_that_is_installed() -> None:
    """KubeRay takes it as that of the image, which is built with the lock."""
    [locked] = re.findall(r"^ray==(\S+)", (FILE.parents[1] / "requirements.lock").read_text(), re.M)
    assert CLUSTER["rayVersion"] == locked


def test_probes_ask_what_ray_answers() -> None:
    from ray._private.ray_constants import DEFAULT_DASHBOARD_AGENT_LISTEN_PORT

    agent = importlib.util.find_spec("ray.dashboard.modules.reporter.healthz_agent")
    assert agent is not None
    assert agent.origin is not None
    for group in GROUPS:
        for probe in ("readinessProbe", "livenessProbe"):
            asked = container(group)[probe]["httpGet"]
            assert asked["port"] == DEFAULT_DASHBOARD_AGENT_LISTEN_PORT
            assert f'@routes.get("{asked["path"]}")' in Path(agent.origin).read_text()


def test_all_pods_have_the_same_image_settings_and_volumes() -> None:
    for key in ("image", "env", "volumeMounts", "securityContext"):
        assert container("head")[key] == container("worker")[key]
    assert {variable["name"] for variable in container("head")["env"]} <= set(
        variable_names(Settings)
    )
    mounted = {mount["name"] for mount in container("worker")["volumeMounts"]}
    for group in GROUPS.values():
        assert {volume["name"] for volume in group["template"]["spec"]["volumes"]} == mounted
