"""Offsets in UTF-16 code units, as JavaScript counts: a character beyond U+FFFF counts twice."""


def utf16_length(text: str) -> int:
    """Return the length of a text in UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def code_point_offset(text: str, utf16_offset: int) -> int:
    """Return an offset in UTF-16 code units as one in code points, at most the text's length."""
    if text.isascii():
        return min(max(utf16_offset, 0), len(text))
    before = text.encode("utf-16-le", "surrogatepass")[: max(utf16_offset, 0) * 2]
    return len(before.decode("utf-16-le", "ignore"))
