"""Which of a task's annotations are its truth."""

from enum import Enum


class AnnotationChoice(str, Enum):
    """Which of a task's annotations are its truth.

    - `latest`: the one that was updated last
    - `consensus`: what most annotators agree on
    - `all`: each is a case of its own
    """

    latest = "latest"
    consensus = "consensus"
    all = "all"
