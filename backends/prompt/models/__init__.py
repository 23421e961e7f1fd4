"""The models that are asked: on a server, or in this process."""

from collections.abc import Callable, Iterable

from backends._inference.device import choose_torch_device
from backends.prompt.models.chat_model import BatchedChatModel, ChatModel
from backends.prompt.models.local_weights import find_local_folder, is_local, list_local_files
from backends.prompt.models.openai_model import OpenAIModel
from backends.prompt.models.starter_model import STARTER, StarterModel
from backends.prompt.question import TokenUsage
from backends.prompt.settings import PromptSettings
from shared.backend import ModelSpec
from shared.errors import ModelError
from shared.settings import Settings

__all__ = [
    "BatchedChatModel",
    "ChatModel",
    "check_server",
    "is_local",
    "list_local_files",
    "load_local_model",
    "needed_modules",
    "open_model",
]


def needed_modules(spec: ModelSpec) -> Iterable[str]:
    """Return the modules that a model imports; none of a spec without a model."""
    if spec.model in {"", STARTER}:
        return ()
    return ("torch", "transformers.modeling_utils") if is_local(spec) else ("openai",)


def open_model(
    spec: ModelSpec,
    settings: PromptSettings,
    server_settings: Settings,
    count_tokens: Callable[[TokenUsage], None] = lambda usage: None,
) -> ChatModel:
    """Return the model of a spec, ready to be asked; ModelError if it cannot be.

    `count_tokens` is called with what each request to a server took.
    """
    if spec.model == STARTER:
        return StarterModel()
    if settings.needs_key and not settings.server_key:
        raise ModelError(f"{spec.label} needs a key: set PROMPT_API_KEY, or PROMPT_BASE_URL")
    return OpenAIModel(spec.model, settings, server_settings, count_tokens)


def check_server(settings: PromptSettings, server_settings: Settings) -> str:
    """Ask the model that the settings name; return in a sentence how it answers.

    PrelabelError says what is wrong.
    """
    model = open_model(ModelSpec("prompt", settings.model), settings, server_settings)
    if not isinstance(model, OpenAIModel):
        return f"{settings.model} asks nobody"
    try:
        return model.check()
    finally:
        model.close()


def load_local_model(
    spec: ModelSpec,
    settings: PromptSettings,
    server_settings: Settings,
    digest: str,
    count_tokens: Callable[[TokenUsage], None] = lambda usage: None,
) -> BatchedChatModel:
    """Load a model that runs in this process; ModelError if it cannot be.

    `digest` is the hash of its files; `count_tokens` is called with what each question took.
    """
    from backends.prompt.models.local_model import LocalModel

    folder = find_local_folder(spec, server_settings, digest)
    device = choose_torch_device(server_settings)
    return LocalModel.load(spec.label, folder, settings, device, count_tokens)
