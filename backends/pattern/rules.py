"""The rules: one regular expression for each class.

Quantifiers are bounded, so that no text makes them backtrack far.
"""

import re

# The lookahead spares all alternatives where a word begins as no month does.
_MONTH = (
    r"(?=[JFMASOND])"
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?"
)
_NUMBER = r"\d{1,12}(?:[.,]\d{1,12}){0,4}"
_SCALE = r"(?: (?:thousand|million|billion|trillion)\b)?"

RULES = {
    "Date": rf"\b\d{{4}}-\d{{2}}-\d{{2}}\b|\b\d{{1,2}} {_MONTH}(?: \d{{4}}\b)?"
    rf"|\b{_MONTH} \d{{1,2}}\b(?:, \d{{4}}\b)?",
    "Time": r"\b\d{1,2}:\d{2}(?::\d{2})?(?: ?[ap]\.?m\b\.?)?|\b\d{1,2} ?[ap]\.?m\b\.?",
    "Money": rf"[$€£¥] ?{_NUMBER}{_SCALE}|\b{_NUMBER}{_SCALE} (?:USD|EUR|GBP|dollars?|euros?)\b",
    "Percent": rf"\b{_NUMBER} ?(?:%|percent\b)",
    "Ordinal": r"\b\d{1,9}(?:st|nd|rd|th)\b|\b(?:first|second|third|fourth|fifth)\b",
}

_COMPILED = [(name, re.compile(rule, re.IGNORECASE)) for name, rule in RULES.items()]


def find_matches(text: str) -> list[tuple[str, int, int]]:
    """Return (class, start, end) of each match in code points (end exclusive), in reading order."""
    matches = [
        (name, match.start(), match.end())
        for name, rule in _COMPILED
        for match in rule.finditer(text)
    ]
    return sorted(matches, key=lambda match: match[1:])
