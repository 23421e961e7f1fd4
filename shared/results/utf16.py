"""Offsets as JavaScript strings count them: a character beyond U+FFFF counts twice."""


def utf16_length(text: str) -> int:
    """The length of a text in UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def code_point_offset(text: str, unit: int) -> int:
    """The code points before an offset in UTF-16 code units, at most the text's length."""
    if text.isascii():
        return min(max(unit, 0), len(text))
    before = text.encode("utf-16-le", "surrogatepass")[: max(unit, 0) * 2]
    return len(before.decode("utf-16-le", "ignore"))
