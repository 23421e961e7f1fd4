"""HTML responses: templates that escape everything, and headers that allow no foreign content."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

FOLDER = Path(__file__).parent
# Neither scripts nor styles in the page itself: text that is shown can never become one.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "Accept",
}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["megabytes"] = format_megabytes
    environment.filters["duration"] = format_duration
    environment.filters["counted"] = format_count
    return environment


def render_template(name: str, values: dict[str, Any]) -> str:
    """Return the HTML of a template."""
    return _environment().get_template(name).render(values)


def html_response(html: str, status: int = 200) -> HTMLResponse:
    """Return a response with a page."""
    return HTMLResponse(html, status, headers=HEADERS)


def format_megabytes(size_bytes: float) -> str:
    """Return a size as people read it: "12 MB"."""
    return f"{size_bytes / 1e6:,.0f} MB"


def format_count(count: int, one: str, several: str) -> str:
    """Return how many there are, in words: "1 label", "2 labels"."""
    return f"{count} {one if count == 1 else several}"


def format_duration(seconds: float) -> str:
    """Return a time as people read it: "0.3 s", "5 min", "3 h 20 min", "2 d 4 h"."""
    minutes = int(seconds // 60)
    if seconds < 60:
        return f"{seconds:.3g} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, days = minutes // 60, minutes // 1440
    return f"{hours} h {minutes % 60} min" if not days else f"{days} d {hours % 24} h"
