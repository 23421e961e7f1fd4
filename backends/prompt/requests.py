"""What the annotator asks for: a TextArea holds it, and each change of it asks the model anew.

As in Label Studio's own example, `llm_interactive`, its name begins with PROMPT_PREFIX; here
`model_prompt_input="true"` says so of any TextArea, and PROMPT_TAG names one for all projects.
"""

from collections.abc import Iterator
from typing import Any

from backends.prompt.settings import PromptSettings
from shared.backend import Context, Control, LabelConfig
from shared.errors import truncate

# An annotator's request that is longer is cut.
MAX_REQUEST_CHARACTERS = 20_000


def is_request_tag(control: Control, config: LabelConfig, settings: PromptSettings) -> bool:
    """Return whether a control tag holds what the annotator asks for, and is not to be filled.

    By its name alone only a tag beside others: one that stands alone is the answer.
    """
    if control.tag != "TextArea":
        return False
    if "model_prompt_input" in control.attrs:
        return control.get_flag("model_prompt_input")
    if control.per_region or not _is_named_so(control, settings):
        return False
    whole = LabelConfig.parse(config.xml)  # `config` may have only what others left
    return any(other.tag != "TextArea" or not _is_named_so(other, settings)
               for other in whole.controls)  # fmt: skip


def request_tags(config: LabelConfig, settings: PromptSettings) -> list[Control]:
    """Return the control tags of a label config that hold what the annotator asks for."""
    return [control for control in config.controls if is_request_tag(control, config, settings)]


def read_request(context: Context, config: LabelConfig, settings: PromptSettings) -> str:
    """Return what the annotator has written into a request tag; empty if that is nothing."""
    names = [control.name for control in request_tags(config, settings)]
    texts = [text for text in _written_texts(context, names) if text.strip()]
    return truncate("\n".join(texts).strip(), MAX_REQUEST_CHARACTERS)


def _written_texts(context: Context, names: list[str]) -> Iterator[str]:
    found = context.get("result")
    for result in found if isinstance(found, list) else ():
        if not isinstance(result, dict) or result.get("from_name") not in names:
            continue
        value: Any = result.get("value")
        texts = value.get("text") if isinstance(value, dict) else None
        for text in texts if isinstance(texts, list) else [texts]:
            if isinstance(text, str):
                yield text


def _is_named_so(control: Control, settings: PromptSettings) -> bool:
    prefix = settings.prefix
    return control.name == settings.tag or (bool(prefix) and control.name.startswith(prefix))
