"""Addresses in tasks, read as a browser reads them, and checks that something is one."""

import re

from shared.errors import FetchError

# First characters of media files in base64, and their types.
BASE64_PREFIXES = {
    "iVBORw0KGgo": "image/png",
    "/9j/": "image/jpeg",
    "R0lGOD": "image/gif",
    "UklGR": "image/webp",
    "SUkqA": "image/tiff",
    "TU0AK": "image/tiff",
    "Qk": "image/bmp",
    "JVBERi0": "application/pdf",
    "SUQz": "audio/mpeg",
    "T2dnUw": "audio/ogg",
    "AAAA": "video/mp4",
    "GkXf": "video/webm",
}
# No media file is shorter in base64, but many file names are.
MIN_BASE64_CHARACTERS = 40

# Blanks and control characters, which browsers drop around an address.
_AROUND = "".join(map(chr, range(0x21)))
_BREAKS = str.maketrans("", "", "\t\n\r")
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*")
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]")
_ADDRESS = re.compile(r"/|[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_WEB = re.compile(r"(?:https?:|(?![a-z][a-z0-9+.-]*:))", re.IGNORECASE)


def clean_address(value: str) -> str:
    r"""Return an address as a browser asks for it: without blanks around, `/` for each `\`.

    What follows a `?` stays as it is, and so do data and the addresses of cloud storages.
    """
    value = value.strip(_AROUND)
    if value[:5].lower() == "data:":
        return value
    value = value.translate(_BREAKS)
    path, question, query = value.partition("?")
    return path.replace("\\", "/") + question + query if _WEB.match(value) else value


def is_plain_text(value: str) -> bool:
    """Return whether a text starts with neither `/` nor a scheme, so that the editor opens none."""
    return bool(value.strip()) and not _ADDRESS.match(clean_address(value))


def check_address(value: str) -> str:
    """Return the cleaned address; FetchError if it cannot be one."""
    value = clean_address(value)
    if not value:
        raise FetchError("The address is empty", cause="invalid_address")
    if _WINDOWS.match(value):
        raise FetchError(
            "The address is a path of Windows, which no browser opens: upload the file to Label"
            " Studio, or add its folder as a local storage",
            cause="invalid_address",
        )
    kind = next((BASE64_PREFIXES[head] for head in BASE64_PREFIXES if value.startswith(head)), None)
    if kind and len(value) >= MIN_BASE64_CHARACTERS and _BASE64.fullmatch(value):
        raise FetchError(
            f'The address is base64 without its type: write "data:{kind};base64," before it, or'
            " the editor shows nothing",
            cause="invalid_address",
        )
    return value
