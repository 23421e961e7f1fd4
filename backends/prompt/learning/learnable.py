"""Which control tags learn from examples, each by itself."""

from collections.abc import Iterator

from backends.prompt.learning.annotated_samples import SPAN_TAGS, TEXT_TAGS, WHOLE_TASK_TAGS
from shared.backend import Claim, LabelConfig, ObjectTag


def split_claim(claim: Claim, config: LabelConfig) -> Iterator[Claim]:
    """Yield a claim for each control tag of one that holds many."""
    for control in claim.controls:
        if control.to_name in config.objects:
            yield Claim((control,), config.objects[control.to_name], claim.spec)


def find_obstacle(claim: Claim) -> str | None:
    """Return why a control tag cannot learn from examples; None if it can."""
    control = claim.control
    if control.per_region:
        return "prompt learns no control tags that describe single regions"
    if control.tag not in (*WHOLE_TASK_TAGS, *SPAN_TAGS):
        return f"prompt learns no {control.tag} from examples"
    if claim.object.tag not in TEXT_TAGS:
        return f"prompt learns from texts, and {claim.object} shows none"
    return None


def other_texts(claim: Claim, config: LabelConfig) -> list[ObjectTag]:
    """Return the further texts of a task, such as the question about one: examples show them."""
    own = claim.object.name
    shown = (target for name, target in config.objects.items() if name != own)
    return [target for target in shown if target.tag in TEXT_TAGS and target.key is not None]
