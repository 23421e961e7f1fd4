"""Messages that continue a Chat."""

from collections.abc import Iterator, Mapping
from typing import Any

from backends.prompt.answer_schema.messages import CONTENT, ROLE
from backends.prompt.regions.control_answer import ControlAnswer
from backends.prompt.regions.items import attach_values, describing_answers
from shared.results import ChatMessage, Omission, Region, region
from shared.results.chat import ROLES
from shared.results.validation.finding import quote


def build_messages(found: ControlAnswer) -> Iterator[Region | Omission]:
    """Yield a region for each message, later than all that the task has."""
    known = found.source or ()
    time = max((message.created_at for message in known), default=0)
    written = found.value if isinstance(found.value, list) else []
    for index, item in enumerate(written):
        if not _is_message(item):
            what = f"{found.control}: the model's answer at {found.pointer}/{index}"
            yield Omission("answer", f"{what}: {quote(item)} is no message")
            continue
        message = ChatMessage(item[ROLE], item[CONTENT].strip(), time + index + 1)
        drawn = region(message, {found.control: None}, score=found.score(index))
        said = describing_answers(found, index, (), message.role)
        whole, omissions = attach_values(drawn, said)
        yield whole
        yield from omissions


def _is_message(item: Any) -> bool:
    if not isinstance(item, Mapping) or item.get(ROLE) not in ROLES:
        return False
    content = item.get(CONTENT)
    return isinstance(content, str) and bool(content.strip())
