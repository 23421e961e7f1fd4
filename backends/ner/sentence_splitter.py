"""Where one sentence of a text ends and the next begins.

A wrong border costs little: it only decides in which parts a long text is read.
"""

import re
from collections.abc import Collection, Iterator

# Line ends, and the white space after what may end a sentence. The lookbehinds make a run of equal
# signs match from its start only; without them the time would grow with the square of its length.
GAP = re.compile(
    r"(?<!\s)\s*\n\s*"
    r"|(?<![.!?…])(?P<sign>[.!?…]+)(?P<close>[\"'”’»)\]]*)\s+(?=[\"'“‘„«(\[¿¡]*(?P<next>\w*))"
    r"|(?<=[。！？])(?![。！？」』”’）])|(?<=[。！？][」』”’）])"
)
LAST_WORD = re.compile(r"[^\s\"'“‘„«(\[]*\Z")
INITIALS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")
UNABBREVIATED = re.compile(r"\b[^\W\d_]+(?![\w.])")
# Characters before a period in which its word is searched.
MAX_WORD_LENGTH = 24


def _word_set(words: str) -> frozenset[str]:
    return frozenset(words.split())


SHORT_MONTHS = _word_set("jan feb mar apr may jun jul aug sep sept oct nov dec")
# No sentence ends between the number of a day and one of these.
MONTHS = SHORT_MONTHS | _word_set(
    "january february march april june july august september october november december"
    " januar februar märz mai juni juli oktober dezember"
)
# No sentence ends after these.
TITLES = _word_set("capt col cf dr e.g gen gov hon i.e lt messrs mme mr mrs ms mt prof rev st vs")
# A sentence ends after these if the next word is not a name.
LEGAL_FORMS = _word_set("bros co corp etc inc jr ltd pty sr")
# No sentence ends between one of these and a number.
NUMBERED_NOUNS = SHORT_MONTHS | _word_set("art bd ca fig no nr p pp sec vol")


def sentence_gaps(text: str) -> Iterator[tuple[int, int]]:
    """Yield the white space between sentences: from the end of one to the start of the next."""
    begin, common_words = 0, _CommonWords(text)
    for match in GAP.finditer(text):
        start = match.start() if match["sign"] is None else match.end("close")
        is_line_end = match["sign"] is None or "\n" in text[start : match.end()]
        if is_line_end or _is_sentence_end(text, begin, match, common_words):
            yield start, match.end()
            begin = match.end()


class _CommonWords:
    """Words that a text has in lower case and without a period: no names, no abbreviations.

    They are collected when first asked for: few texts need them.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._words: Collection[str] | None = None

    def __contains__(self, word: object) -> bool:
        if self._words is None:
            self._words = {word for word in UNABBREVIATED.findall(self._text) if word.islower()}
        return str(word).lower() in self._words


def _is_sentence_end(
    text: str, begin: int, match: "re.Match[str]", common_words: _CommonWords
) -> bool:
    """Return whether a sentence that begins at `begin` ends at a sign, by the words around it.

    "!", "?" and a period with closing quotes or brackets end it unless a lower-case word follows.
    After a plain period, the word before it decides: it may be an abbreviation, an initial or the
    number of a day or a list's item.
    """
    following, lower_case = match["next"], match["next"][:1].islower()
    if match["sign"] != "." or match["close"]:
        return not lower_case
    before = text[max(begin, match.start() - MAX_WORD_LENGTH) : match.start()]
    word = LAST_WORD.findall(before)[0]
    folded = word.lower()
    if folded in TITLES or (len(word) == 1 and word.isupper()):
        return False
    if word.isdigit():
        is_day = len(word) < 3 and following.lower() in MONTHS
        is_list_item = text[begin : match.start()].strip() == word
        return not (lower_case or is_day or is_list_item)
    if folded in NUMBERED_NOUNS:
        return not lower_case and not following[:1].isdigit()
    if folded in LEGAL_FORMS or (word.isupper() and INITIALS.fullmatch(word)):
        return not lower_case and following in common_words
    return not lower_case or (word.islower() and word in common_words)
