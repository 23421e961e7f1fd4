"""Models without eyes or ears: what servers say of them is understood, and asked only once."""

import pytest

from backends.prompt.errors import ServerRefusedError
from backends.prompt.models.request_failure import RequestFailedError, RetryPolicy


@pytest.mark.parametrize(
    ("status", "text", "medium"),
    [
        (400, "Invalid content type. image_url is only supported by certain models.", "pictures"),
        (400, "this model does not support image input (ref: ec20)", "pictures"),
        (400, "At most 0 image(s) may be provided in one prompt.", "pictures"),
        (400, "google/gemma-3-270m is not a multimodal model", "pictures"),
        (500, "image input is not supported - hint: you may need the mmproj", "pictures"),
        (500, "audio input is not supported - hint: you may need to provide the mmproj", "sound"),
        (400, "Model does not support images. Please use a model that does.", "pictures"),
        (500, "this model is missing data required for image input", "pictures"),
        (400, "This model doesn't support audio inputs", "sound"),
        (400, "Invalid content type. input_audio is only supported by certain models.", "sound"),
        (400, "You uploaded an unsupported image. Use png, jpeg, gif or webp.", None),
        (400, "unsupported image format", None),
        (400, "response_format json_schema is not supported by this model", None),
        (400, "Unknown parameter: 'logprobs'", None),
        (500, "out of memory", None),
    ],
    ids=[
        "OpenAI", "Ollama", "vLLM, none allowed", "vLLM", "llama.cpp", "llama.cpp, sound",
        "LM Studio", "Ollama, no projector", "a sentence", "OpenAI, sound", "wrong file",
        "wrong format", "no schemas", "no option", "another fault",
    ],
)  # fmt: skip
def test_what_servers_say(status: int, text: str, medium: str | None) -> None:
    failure = RequestFailedError("status", text, status)
    assert failure.refused_medium == medium
    if medium is None:
        return
    assert not failure.is_unsupported, "no other form of the request may do"
    assert RetryPolicy(3, 10.0).wait_seconds(failure, 0, 0.0) is None
    error = failure.to_error("small-model", 10)
    assert isinstance(error, ServerRefusedError)
    assert str(error).startswith(f"small-model takes no {medium} ({text})")
    assert "PROMPT_MODALITIES" in str(error)
