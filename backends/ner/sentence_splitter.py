"""Where one sentence of a text ends and the next begins."""

import re
from collections.abc import Collection, Iterator

# Line ends, and the white space after what may be the end of a sentence. Runs of one sign are
# looked at from their start alone: else they would take the square of their length.
GAP = re.compile(
    r"(?<!\s)\s*\n\s*"
    r"|(?<![.!?…])(?P<sign>[.!?…]+)(?P<close>[\"'”’»)\]]*)\s+(?=[\"'“‘„«(\[¿¡]*(?P<next>\w*))"
    r"|(?<=[。！？])(?![。！？」』”’）])|(?<=[。！？][」』”’）])"
)
WORD = re.compile(r"[^\s\"'“‘„«(\[]*\Z")
INITIALS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")
PLAIN = re.compile(r"\b[^\W\d_]+(?![\w.])")
# Characters of a word before a period that are looked at.
LONGEST = 24


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


SHORT_MONTHS = _words("jan feb mar apr may jun jul aug sep sept oct nov dec")
# Before them no sentence ends after the number of a day.
MONTHS = SHORT_MONTHS | _words(
    "january february march april june july august september october november december"
    " januar februar märz mai juni juli oktober dezember"
)
# After them none ends.
TITLES = _words("capt col cf dr e.g gen gov hon i.e lt messrs mme mr mrs ms mt prof rev st vs")
# After them one ends if what follows is no name.
FORMS = _words("bros co corp etc inc jr ltd pty sr")
# After them none ends before a number.
NUMBERED = SHORT_MONTHS | _words("art bd ca fig no nr p pp sec vol")


def gaps(text: str) -> Iterator[tuple[int, int]]:
    """The white space between sentences: from the end of one to the start of the next."""
    begin, common = 0, _Common(text)
    for match in GAP.finditer(text):
        start = match.start() if match["sign"] is None else match.end("close")
        line = match["sign"] is None or "\n" in text[start : match.end()]
        if line or _ends(text, begin, match, common):
            yield start, match.end()
            begin = match.end()


class _Common:
    """Words that stand in a text in small letters and without a period: neither names nor short."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._words: Collection[str] | None = None

    def __contains__(self, word: object) -> bool:
        if self._words is None:
            self._words = {found for found in PLAIN.findall(self._text) if found.islower()}
        return str(word).lower() in self._words


def _ends(text: str, begin: int, match: "re.Match[str]", common: _Common) -> bool:
    """Whether a sentence that begins there ends at the sign, by the words around it."""
    following, small = match["next"], match["next"][:1].islower()
    if match["sign"] != "." or match["close"]:
        return not small
    before = text[max(begin, match.start() - LONGEST) : match.start()]
    word = WORD.findall(before)[0]
    folded = word.lower()
    if folded in TITLES or (len(word) == 1 and word.isupper()):
        return False
    if word.isdigit():
        day = len(word) < 3 and following.lower() in MONTHS
        return not (small or day) and text[begin : match.start()].strip() != word
    if folded in NUMBERED:
        return not small and not following[:1].isdigit()
    if folded in FORMS or (word.isupper() and INITIALS.fullmatch(word)):
        return not small and following in common
    return not small or (word.islower() and word in common)
