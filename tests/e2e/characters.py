"""Texts whose characters are easily miscounted, on the three text tags."""

import re
from collections.abc import Iterable
from typing import Any

from shared.backend.passages import Passages
from shared.label_studio.label_config import LabelConfig
from shared.results import Dialogue, Region, region

TEXTS = {
    "plain": "Ann met Bob.",
    "one character": "A",
    "one emoji": "😀",
    "empty": "",
    "spaces alone": " \t ",
    "emoji": "Hi 😀 Bob 😀😀 Ann",
    "ZWJ sequences": "👨‍👩‍👧 Bob 👩‍🚀👩🏽‍🚒 Ann",
    "flags": "🇺🇦🇵🇹 Bob",
    "combining marks": "e\u0301te\u0301 Bob n\u0303 Ann",
    "CJK": "东京 的 王小明 𠮷野家 です",
    "right to left": "שלום בוב مرحبا آن Bob",
    "directions": "\u202eBob\u202c \u2067Ann\u2069 x",
    "line ends of Windows": "one\r\ntwo Bob\r\n\r\nAnn\r\n",
    "line ends of Macs": "one\rtwo Bob\r\rAnn",
    "line ends": "\none\ntwo Bob\n\nAnn\n",
    "tabs": "\tone\ttwo\t\tBob",
    "leading spaces": "   Bob   Ann  ",
    "wide spaces": "\u00a0Bob\u3000Ann\u2009x",
    "no width": "Bo\u200bb \ufeffAnn so\u00adft",
    "markup": "a < b && <b>Bob</b> &amp; \"Ann\" 'x'",
    "line separators": "one\u2028two\u2029Bob \x85Ann \x0bx \x0cy",
    "mathematics": "𝐁𝐨𝐛 met 𝔸𝕟𝕟",
}
HTML = {
    "entities": "Tom &amp; Bob&nbsp;&lt;Ann&gt; &#128512; &eacute;t&eacute; &copy Bob",
    "nested tags": "<div><p>Ann <b>Bo<i>b</i></b></p><ul><li>one<li>two <a>Bob</a></ul></div> end",
    "line breaks": "one<br>two<br/><br>Bob<br>",
    "a table": "<table><tr><td>Ann</td><td>Bob</td></tr></table>Ann",
    "a table after a paragraph": "<p>Ann<table><tr><td>Bob</td></tr></table>Ann",
    "a whole page": "<!DOCTYPE html><html><head><title></title></head><body>\n<i>Ann</i>Bob</body>",
    "comments": "Ann<!-- and --> Bob <!-- 😀 -->Ann",
    "line ends of Windows": "<p>one\r\nBob</p>\r\n<p>\r\nAnn 😀 x</p>\r\n<pre>\r\nBob\r\nAnn</pre>",
    "line ends by number": "one&#13;&#10;Bob&#13;Ann",
    "scripts": "Ann <script>var x = '😀';</script>Bob <style>p {}</style>Ann",
}
LABEL = '<Label value="Word"/>'
TALK = Dialogue(tuple(TEXTS.values()), tuple("AB"[n % 2] for n in range(len(TEXTS))))


def config() -> str:
    """All texts on one page: a Text each, a HyperText each, and all of them in one dialogue."""
    tags = [
        f'<Labels name="l-{name}" toName="{name}">{LABEL}</Labels>'
        f'<Text name="{name}" value="${name}"/>'
        for name in _names("t", TEXTS)
    ]
    tags += [
        f'<HyperTextLabels name="l-{name}" toName="{name}">{LABEL}</HyperTextLabels>'
        f'<HyperText name="{name}" value="${name}"/>'
        for name in _names("h", HTML)
    ]
    tags.append(
        f'<ParagraphLabels name="l-p" toName="p">{LABEL}</ParagraphLabels>'
        '<Paragraphs name="p" value="$p" nameKey="who" textKey="says" layout="dialogue"/>'
    )
    return f"<View>{''.join(tags)}</View>"


def data() -> dict[str, Any]:
    """The task's data."""
    said = [{"who": who, "says": text} for who, text in zip(TALK.names, TALK.texts, strict=True)]
    named = dict(zip(_names("t", TEXTS), TEXTS.values(), strict=True))
    return {**named, **dict(zip(_names("h", HTML), HTML.values(), strict=True)), "p": said}


def words() -> dict[str, list[Region]]:
    """A region for each word, by what a reader of the test wants to see."""
    controls = {control.name: control for control in LabelConfig.parse(config()).controls}
    found = {}
    for key, name, passages in _passages():
        marks = {controls[f"l-{name}"]: ["Word"]}
        found[key] = [
            region(passages.to_shape(part, *match.span()), marks, source=passages.source, score=0.5)
            for part in passages.passages
            for match in re.finditer(r"\S+", part.text)
        ]
    return found


def _passages() -> Iterable[tuple[str, str, Passages]]:
    for (key, text), name in zip(TEXTS.items(), _names("t", TEXTS), strict=True):
        yield f"Text: {key}", name, Passages.from_text(text)
    for (key, html), name in zip(HTML.items(), _names("h", HTML), strict=True):
        yield f"HyperText: {key}", name, Passages.from_html(html)
    talk = Passages.from_dialogue(TALK)
    for key, part in zip(TEXTS, talk.passages, strict=True):
        yield f"Paragraphs: {key}", "p", Passages(talk.source, (part,))


def _names(prefix: str, table: dict[str, str]) -> list[str]:
    return [f"{prefix}{number}" for number in range(len(table))]
