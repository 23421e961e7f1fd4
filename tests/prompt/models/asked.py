"""A question for tests, and models that ask a server of ours."""

from typing import Any

from backends.prompt.models.openai_model import OpenAIModel
from backends.prompt.question import Question, TextPart
from backends.prompt.settings import PromptSettings
from shared.settings import Settings
from tests.prompt.fault_server import FaultServer

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "mood": {"type": "string", "enum": ["Good", "Bad"]},
        "stars": {"type": "integer", "minimum": 1, "maximum": 5},
    },
    "required": ["mood", "stars"],
    "additionalProperties": False,
}


def ask_about(text: str, **more: Any) -> Question:
    return Question("Say what it is.", SCHEMA, (TextPart("text", text),), **more)


def model_at(server: FaultServer | str, *, workers: int = 1, **settings: Any) -> OpenAIModel:
    """Return a model; it knows nothing yet of the server."""
    url = server if isinstance(server, str) else server.url
    chosen = PromptSettings(base_url=url, model="any", **settings)
    return OpenAIModel("any", chosen, Settings(workers=workers))
