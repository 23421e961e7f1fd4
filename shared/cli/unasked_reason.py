"""Why `prelabel prompt` asks no language model anything: a sentence that says what helps."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from shared.errors import SettingError

if TYPE_CHECKING:
    from shared.backend.base import Backend
    from shared.label_studio.label_config import Control, LabelConfig


def find_asking_backends(names: Sequence[str]) -> "list[type[Backend]]":
    """Return the backends that ask a language model and can run here, of those that serve.

    `names` are the backends that serve; all if it is empty. SettingError says why none of those
    that would ask can run.
    """
    from shared.backend.registry import choose_backends, split_available
    from shared.pipeline.asked_task import asks_language_model

    asking = [cls for cls in choose_backends(names) if asks_language_model(cls)]
    available, problems = split_available(asking)
    if asking and not available:
        raise SettingError("; ".join(problems.values()))
    return available


def find_idle_reason(asking: "Sequence[type[Backend]]") -> str | None:
    """Return why no language model is asked about any label config; None if one can be."""
    if not asking:
        return "No language model is asked anything: BACKENDS names no backend that asks one"
    reasons = [cls.idle_reason() for cls in asking]
    return None if None in reasons else "; ".join(filter(None, dict.fromkeys(reasons)))


def explain_unasked(
    config: "LabelConfig", filled: Mapping[str, str | None], asking: "Sequence[type[Backend]]"
) -> str:
    """Return why no language model is asked about a label config, though there is one.

    `filled` has the backend of each control tag; None where there is none.
    """
    name = next(cls.name for cls in asking if cls.idle_reason() is None)
    others: dict[str, list[Control]] = {}
    own: list[Control] = []
    for control in config.controls:
        backend = filled.get(control.name)
        if backend == name:
            own.append(control)
        elif backend is not None:
            others.setdefault(backend, []).append(control)
    reasons = [f"{name} has no question about {_join(own)} in this task"] if own else []
    reasons += [f"{other} fills {_join(controls)}" for other, controls in others.items()]
    if others:
        there = "it" if sum(map(len, others.values())) == 1 else "them"
        reasons.append(f'model_backend="{name}" on {there} asks the language model instead')
    if not reasons:
        reasons.append("it can fill none of the control tags")
    return f"No language model is asked anything: {'; '.join(reasons)}"


def _join(controls: "Sequence[Control]") -> str:
    *first, last = map(str, controls)
    return f"{', '.join(first)} and {last}" if first else last
