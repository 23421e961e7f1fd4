"""Label configs with tags that are none, or are on what they are not for: what the editor does."""

from dataclasses import dataclass

LABEL = '<Label value="a"/>'
IMAGE = '<Image name="o" value="$image"/>'
TEXT = '<Text name="o" value="$text"/>'


@dataclass(frozen=True)
class Row:
    """`error` is in what the editor shows instead of the task; empty if it shows the task.

    `drawn` is whether it then draws a box of the control tag "c".
    """

    xml: str
    error: str = ""
    drawn: bool = True
    rule: str | None = None
    severity: str = "error"
    says: str = ""


def on(target: str, tag: str, inside: str = LABEL, more: str = "") -> str:
    return f'<View>{target}<{tag} name="c" toName="o">{inside}</{tag}>{more}</View>'


ROWS = {
    "as the guide writes it": Row(on(IMAGE, "RectangleLabels")),
    "control tag in lower case": Row(on(IMAGE, "rectanglelabels")),
    "labels in lower case": Row(on(IMAGE, "RectangleLabels", '<label value="a"/>')),
    "object tag in lower case": Row(on(IMAGE.replace("Image", "image"), "Rectangle", "")),
    "object tag in lower case, control tag held to it": Row(
        on(IMAGE.replace("Image", "image"), "RectangleLabels"),
        error="can only control Image",
        rule="wrong_object",
        says='"o" is image, which must be spelt so here',
    ),
    "misspelt": Row(
        on(IMAGE, "RectangleLabel"),
        error="Not expecting tag: rectanglelabel",
        rule="unknown_tag",
        says="<RectangleLabel> is no tag of Label Studio, the editor shows an error instead of the"
        ' task; did you mean "RectangleLabels"?',
    ),
    "tags of HTML": Row(
        on(IMAGE, "RectangleLabels", more="<br/>"),
        error="Not expecting tag: br",
        rule="unknown_tag",
        says="<br> is no tag of Label Studio, the editor",
    ),
    "Enterprise's": Row(
        on('<Pdf name="o" value="$text"/>', "OcrLabels"),
        error="Not expecting tag: ocrlabels",
        rule="unknown_tag",
        severity="warning",
        says="<OcrLabels>: only Label Studio Enterprise has it",
    ),
    "a later release's": Row(
        '<View><Video name="o" value="$text"/><VideoVector name="c" toName="o"/></View>',
        error="Not expecting tag: videovector",
        rule="unknown_tag",
        severity="warning",
        says="later releases",
    ),
    "boxes on a text": Row(
        on(TEXT, "RectangleLabels"),
        error="can only control Image",
        rule="wrong_object",
        says='RectangleLabels "c" can only control Image, "o" is Text; the editor shows an error',
    ),
    "boxes without labels on a text": Row(
        on(TEXT, "Rectangle", ""),
        drawn=False,
        rule="wrong_object",
        severity="warning",
        says="the editor draws none of its regions",
    ),
    "paragraphs' labels on a text": Row(
        on(TEXT, "ParagraphLabels"), drawn=False, rule="wrong_object", severity="warning"
    ),
    "on an image and a text": Row(
        f'<View>{IMAGE}<Text name="t" value="$text"/>'
        f'<RectangleLabels name="c" toName="o,t">{LABEL}</RectangleLabels></View>',
        error="can only control Image",
        rule="wrong_object",
        says='"t" is Text',
    ),
    "choices among labels": Row(
        on(IMAGE, "RectangleLabels", '<Choice value="a"/>'),
        error="Choice must be a child of one of the tags Choices, Taxonomy",
        rule="tag_place",
        says="<Choice> must be inside Choices or Taxonomy",
    ),
}
