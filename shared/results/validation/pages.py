"""Checks what only Label Studio Enterprise draws: boxes on pages (OcrLabels), and Chat's messages.

The formats are those of its guide; see `shared.results.pdf` and `shared.results.chat`.
"""

from collections.abc import Iterator, Mapping

from shared.results.chat import ROLES
from shared.results.validation.finding import (
    Problems,
    RuleViolation,
    Value,
    is_number,
    quote,
    suggest_name,
)
from shared.results.validation.image_shapes import Check

# By how much of a page a box may exceed it, for rounding.
TOLERANCE = 1e-4


def check_page_box(value: Value, result: Value) -> Problems:
    """Check a box in fractions of its page, the page's number and the text in it."""
    turned = value.get("rotation") or 0
    if not is_number(turned):
        return [RuleViolation("not_a_number", f'"rotation" is {quote(turned)}, expected degrees')]
    problems = [
        problem for key in ("x", "y", "width", "height") for problem in _fraction(value, key)
    ]
    problems += _page_problems(value)
    if problems or turned:
        return problems
    return [
        RuleViolation(
            "out_of_image",
            f'"{start}" + "{size}" is {quote(round(value[start] + value[size], 4))},'
            " expected at most 1",
        )
        for start, size in (("x", "width"), ("y", "height"))
        if value[start] + value[size] > 1 + TOLERANCE
    ]


def _fraction(value: Value, key: str) -> Iterator[RuleViolation]:
    found = value.get(key)
    if found is None:
        yield RuleViolation("missing_key", f'"{key}" is missing')
    elif not is_number(found):
        yield RuleViolation("not_a_number", f'"{key}" is {quote(found)}, expected a finite number')
    elif key in {"width", "height"} and found <= 0:
        yield RuleViolation("zero_size", f'"{key}" is {quote(found)}, expected more than 0')
    elif not -TOLERANCE <= found <= 1 + TOLERANCE:
        remedy = " (is it in percent?)" if 1 < found <= 100 else ""
        what = f'"{key}" is {quote(found)}, expected a part of the page from 0 to 1{remedy}'
        yield RuleViolation("out_of_image", what)


def _page_problems(value: Value) -> Iterator[RuleViolation]:
    page, text = value.get("pageIndex"), value.get("ocrtext", "")
    if page is None:
        yield RuleViolation("missing_key", '"pageIndex" is missing')
    elif type(page) is not int or page < 1:
        what = f'"pageIndex" is {quote(page)}, expected a whole number from 1'
        yield RuleViolation("out_of_range", what)
    if not isinstance(text, str):
        yield RuleViolation("not_a_string", f'"ocrtext" is {quote(text)}, expected a string')


def check_chat_message(value: Value, result: Value) -> Problems:
    """Check who speaks, what, and when."""
    message = value.get("chatmessage")
    if not isinstance(message, dict):
        what = f'"chatmessage" is {quote(message)}, expected an object with "role" and "content"'
        return [RuleViolation("missing_key" if message is None else "not_an_object", what)]
    return list(_message_problems(message))


def _message_problems(message: Value) -> Iterator[RuleViolation]:
    role, at = message.get("role"), message.get("createdAt", 0)
    if role not in ROLES:
        what = f'"role" is {quote(role)}, expected {", ".join(ROLES)}'
        remedy = suggest_name(role, ROLES) if isinstance(role, str) else ""
        yield RuleViolation("unknown_label", what + remedy)
    if not isinstance(message.get("content"), str):
        what = f'"content" is {quote(message.get("content"))}, expected a string'
        yield RuleViolation("not_a_string", what)
    if not is_number(at) or at < 0:
        what = f'"createdAt" is {quote(at)}, expected milliseconds since 1970'
        yield RuleViolation("not_a_number", what)


# Checks by the type of the control tag's results.
PAGE_CHECKS: Mapping[str, Check] = {
    "ocrlabels": check_page_box,
    "chatmessage": check_chat_message,
}
