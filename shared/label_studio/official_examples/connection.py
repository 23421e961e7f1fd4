"""Extra parameters of a connection, by which the official example llm_interactive is configured."""

import json
from typing import Any

from shared.errors import truncate

OURS = {
    "provider": "PROMPT_PROVIDER",
    "model": "PROMPT_MODEL",
    "api_key": "PROMPT_API_KEY",
    "base_url": "PROMPT_BASE_URL",
    "num_responses": "PROMPT_SAMPLES",
    "temperature": "PROMPT_TEMPERATURE",
    "api_version": "PROMPT_AZURE_API_VERSION",
    "resource_endpoint": "PROMPT_AZURE_RESOURCE_ENDPOINT",
    "deployment_name": "PROMPT_AZURE_DEPLOYMENT",
}
"""Each parameter of the example, and the variable of ours that it stands for."""
# Names of parameters that a message lists.
MOST_NAMES = 20


def describe_parameters(parameters: Any) -> str:
    """Return what to set in place of parameters, without their values; empty if there are none.

    Label Studio sends them as they were entered: an object, or a text that should be JSON.
    """
    if isinstance(parameters, str):
        try:
            parameters = json.loads(parameters)
        except ValueError:
            return "they are no JSON" if parameters.strip() else ""
    if not isinstance(parameters, dict) or not parameters:
        return ""
    names = [truncate(str(name), 40) for name in list(parameters)[:MOST_NAMES]]
    meant = [f"{OURS[name]} for {name}" for name in names if name in OURS]
    others = [name for name in names if name not in OURS]
    parts = ["set " + ", ".join(meant)] if meant else []
    parts += [f"nothing here reads {', '.join(others)}"] if others else []
    return "; ".join(parts)
