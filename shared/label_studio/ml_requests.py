"""The bodies of the requests that Label Studio sends to an ML backend."""

from typing import Any


def predict_request(tasks: list[Any], label_config: str, project: str) -> dict[str, Any]:
    """Return the body of /predict; `project` is `ID.TIMESTAMP`, as for /setup."""
    return {
        "tasks": tasks,
        "label_config": label_config,
        "project": project,
        "params": {"login": None, "password": None, "context": None},
    }


def setup_request(label_config: str, project: str, label_studio_url: str) -> dict[str, Any]:
    """Return the body of /setup."""
    return {"project": project, "schema": label_config, "hostname": label_studio_url}
