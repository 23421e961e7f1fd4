"""How many examples a label needs to be learned, and what is said where they lack.

Tasks are counted, not regions: fifty boxes on one picture are one scene.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from shared.evaluation.dataset.label_index import MAX_NAMED_LABELS
from shared.evaluation.dataset.options import SPLIT_NAMES
from shared.label_studio.label_config import Control

# The shares of the tasks that are learned from, that decide which epoch is the best, and that are
# held out. A fifth is held out, since the gate needs enough of them to tell models apart.
SHARES = (0.7, 0.1, 0.2)
TRAIN, VALIDATION, HELD_OUT = SPLIT_NAMES
# A label that is in five tasks has one held out, because a part has each label from the time on
# that it has come 1/share times (see `shared.evaluation.dataset.split`), and mostly three or four
# to learn from. Fewer than three teach a model that single pictures or texts are the label.
MIN_TASKS = 5
MIN_TRAIN_TASKS = 3
MIN_HELD_OUT_TASKS = 1
# Of tags that give each task one of several labels.
MIN_CLASSES = 2


def find_rare(counts: Mapping[str, int]) -> dict[str, str]:
    """Return why labels cannot be learned: those that are in too few tasks, in words."""
    return {
        label: f"{_name(label)} has {_count_examples(count)}, {MIN_TASKS} are needed"
        for label, count in counts.items()
        if count < MIN_TASKS
    }


def find_lacking(parts: Mapping[str, Counter[str]], labels: Sequence[str]) -> dict[str, str]:
    """Return why labels cannot be learned that are in enough tasks, but not in each part.

    `parts` counts the tasks of each label by part of the split.
    """
    lacking = {}
    for label in labels:
        train, held_out = parts[TRAIN][label], parts[HELD_OUT][label]
        if train < MIN_TRAIN_TASKS or held_out < MIN_HELD_OUT_TASKS:
            lacking[label] = (
                f"{_name(label)} has {_count_examples(train)} to learn from and {held_out} held"
                f" out, {MIN_TRAIN_TASKS} and {MIN_HELD_OUT_TASKS} are needed"
            )
    return lacking


def needs_classes(control: Control) -> bool:
    """Return whether a control tag chooses between labels, so that one alone teaches nothing."""
    return control.answers_once and control.has_labels and control.attrs.get("choice") != "multiple"


def describe_rest(reasons: Iterable[str], unused: Sequence[str]) -> str:
    """Return why labels are not learned, in a part of a sentence: too rare, or never given."""
    found = list(reasons)
    parts = found[:MAX_NAMED_LABELS]
    if len(found) > MAX_NAMED_LABELS:
        parts.append(f"and so have {len(found) - MAX_NAMED_LABELS} more labels")
    if unused:
        named = ", ".join(f'"{label}"' for label in unused[:MAX_NAMED_LABELS])
        more = len(unused) - MAX_NAMED_LABELS
        parts.append(f"no annotation has {named}" + (f" or {more} more" if more > 0 else ""))
    return "; ".join(parts)


def _name(label: str) -> str:
    return f'label "{label}"' if label else "it"


def _count_examples(count: int) -> str:
    return f"{count} example" + ("" if count == 1 else "s")
