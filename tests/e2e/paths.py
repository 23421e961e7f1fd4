"""Spans by XPaths, right and wrong ones: what the editor marks, and what is said of them."""

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

HTML = (
    "<div><h2>Ann 👩‍🚀</h2>\n<p>met <b>Bob</b> at<br>noon</p></div>"
    "<p>Benefit rating</p><p>Another Benefit line</p>"
)
TEXT = "One <b>\nTwo three"
CONFIG = """<View>
  <HyperTextLabels name="html-label" toName="html"><Label value="Hit"/></HyperTextLabels>
  <HyperText name="html" value="$html"/>
  <Labels name="text-label" toName="text"><Label value="Hit"/></Labels>
  <Text name="text" value="$text" granularity="word"/>
</View>"""
DATA = {"html": HTML, "text": TEXT}


@dataclass(frozen=True)
class Row:
    """`marked` is what the editor highlights; `rule` what `validate` says, and `says` of how."""

    value: Json
    marked: str
    rule: str | None = None
    says: str = ""
    on: str = "html"

    def result(self) -> Json:
        """As a prediction has it."""
        kind = "hypertextlabels" if self.on == "html" else "labels"
        names = {"from_name": f"{self.on}-label", "to_name": self.on, "type": kind}
        return {"id": "r", **names, "value": {**self.value, kind: ["Hit"]}}


def span(start: str, first: int, end: str, last: int, **more: Any) -> Json:
    return {"start": start, "startOffset": first, "end": end, "endOffset": last, **more}


def at(path: str, first: int, last: int, **more: Any) -> Json:
    return span(path, first, path, last, **more)


P, SECOND = "/p[1]/text()[1]", "/p[2]/text()[1]"
PLACE = '"start": "/p[1]/text()[1]", "startOffset": 0, "end": "/p[1]/text()[1]", "endOffset": 7'
SEARCH = "//*[contains(text(), 'Benefit')]"
NOON = {"start": 19, "end": 23}

ROWS = {
    "the editor's own": Row(at(P, 0, 7, text="Benefit"), "Benefit"),
    "over two paragraphs": Row(span(P, 8, SECOND, 7, text="rating\\n\\nAnother"), "ratingAnother"),
    "beyond U+FFFF": Row(at("/div[1]/h2[1]/text()[1]", 4, 9), "👩‍🚀"),
    "half a character": Row(at("/div[1]/h2[1]/text()[1]", 4, 5), "👩"),
    "from the end of a text": Row(span(P, 14, SECOND, 7), "Another"),
    "white space": Row(at("/div[1]/text()[1]", 0, 1), "\n"),
    # paths that are none for the editor
    "search for a text": Row(
        at(SEARCH, 0, 7, text="Benefit"), "", "xpath", f"{PLACE} (the first of 2 places)"
    ),
    "search for an element": Row(at("//p", 0, 7), "", "xpath", PLACE),
    "steps without a number": Row(at("/p/text()", 0, 7), "", "xpath", PLACE),
    "from here": Row(at("./p[1]/text()[1]", 0, 7), "", "xpath", PLACE),
    "without a slash": Row(at("p[1]/text()[1]", 0, 7), "", "xpath", PLACE),
    "from the root": Row(at(f"/html[1]/body[1]{P}", 0, 7), "", "xpath", PLACE),
    "from the body": Row(at(f"/body[1]{P}", 0, 7), "", "xpath", PLACE),
    "upper case": Row(
        at("/P[1]/text()[1]", 0, 7), "", "xpath", "It resolves only paths such as /p[1]/text()[1]"
    ),
    "space at the end": Row(at(f"{P} ", 0, 7), "", "xpath", PLACE),
    "no such paragraph": Row(
        at("/p[9]/text()[1]", 0, 7), "", "xpath", "finds no text there and highlights nothing"
    ),
    "no such text": Row(at("/p[1]/text()[2]", 0, 7), "", "xpath", '"start" is "/p[1]/text()[2]"'),
    "no such paragraph, with its text": Row(
        at("/p[9]/text()[1]", 0, 6, text="rating"), "", "xpath", '"startOffset": 8'
    ),
    "end that is none": Row(
        span(P, 0, "/p[9]/text()[1]", 7), "", "xpath", '"end" is "/p[9]/text()[1]"'
    ),
    "a line break": Row(at("/div[1]/p[1]/br[1]", 0, 1), "", "xpath"),
    # globalOffsets
    "no such paragraph, but globalOffsets": Row(
        at("/p[9]/text()[1]", 0, 7, globalOffsets=NOON), "noon"
    ),
    "search, but globalOffsets": Row(at(SEARCH, 0, 7, globalOffsets=NOON), "noon"),
    "no paths, but globalOffsets": Row(at("", 0, 0, globalOffsets=NOON), "noon"),
    "paths go before globalOffsets": Row(at(P, 0, 7, globalOffsets=NOON), "Benefit"),
    "globalOffsets outside": Row(
        at("/p[9]/text()[1]", 0, 7, globalOffsets={"start": 90, "end": 99}), "", "xpath"
    ),
    # elements
    "an element and its text": Row(at("/p[1]", 0, 7, text="Benefit"), "Benefit"),
    "an element by its children": Row(
        at("/p[1]", 0, 1), "B", "xpath", "for characters of /p[1]/text()[1]"
    ),
    "an element around others": Row(at("/div[1]", 0, 3), "Ann", "xpath", "/div[1]/h2[1]/text()[1]"),
    "the body": Row(at("/", 0, 3), "Ann", "xpath"),
    "past an element's first text": Row(at("/div[1]/p[1]", 0, 7), "", "past_the_end", "has 4"),
    # offsets
    "end past the text": Row(at(P, 0, 15), "", "past_the_end", "has 14 characters"),
    "end past the text, with its text": Row(
        at(P, 0, 99, text="Benefit"), "", "past_the_end", '"endOffset": 7'
    ),
    "start past the text": Row(
        span(P, 50, SECOND, 7), "Benefit ratingAnother", "past_the_end", "takes it for 0"
    ),
    "backwards": Row(span(SECOND, 0, P, 7), "", "empty_span", "ends before it starts"),
    "nothing": Row(at(P, 3, 3), "", "empty_span"),
    "another text than is said": Row(
        at(P, 8, 14, text="Benefit"), "rating", "text", 'marks "rating", not "Benefit"; "Benefit"'
    ),
    # numbers
    "numbers": Row({"start": 19, "end": 23}, "noon"),
    "numbers past the end": Row({"start": 90, "end": 99}, "", "past_the_end", "57 characters"),
    "numbers of another text": Row(
        {"start": 19, "end": 23, "text": "Bob"}, "noon", "text", '"/div[1]/p[1]/b[1]/text()[1]"'
    ),
    # on a Text
    "a Text's second line": Row(at("/span[2]/text()[1]", 0, 3, text="Two"), "Two", on="text"),
    "a Text's first line, with markup": Row(at("/span[1]", 4, 7, text="<b>"), "<b>", on="text"),
    "a Text's text": Row(at("/text()[1]", 8, 11, text="Two"), "", "xpath", "/span[2]", on="text"),
}
