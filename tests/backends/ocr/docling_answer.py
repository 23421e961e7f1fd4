"""Make docling_answer.json: what docling-serve answers for a page, by Docling's own classes.

`python tests/backends/ocr/docling_answer.py` needs docling-slim, which the tests do without: this
was made with its release 2.143.0, and docling-core 2.104.0. The page is 400 × 500 points large.
"""

import json
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_suffix(".json")
PAGE = 400.0, 500.0
TEXT = "Sales rose in spring. They fell in autumn."


def make_answer() -> dict[str, Any]:
    """Return the answer; all boxes but those of cells have their origin at the bottom left."""
    from docling.datamodel.service.responses import ConvertDocumentResponse, ExportDocumentResponse
    from docling_core.types.doc import DoclingDocument, Size
    from docling_core.types.doc.document import ContentLayer
    from docling_core.types.doc.labels import DocItemLabel

    document = DoclingDocument(name="page")
    document.add_page(page_no=1, size=Size(width=PAGE[0], height=PAGE[1]))
    document.add_title("Market report", prov=place(120, 20, 280, 50))
    document.add_heading("Spring", prov=place(40, 70, 160, 90))
    item = document.add_text(DocItemLabel.TEXT, TEXT, prov=place(40, 100, 180, 150, (0, 21)))
    item.prov.append(place(220, 100, 360, 150, (22, len(TEXT))))
    group = document.add_list_group()
    document.add_list_item("First", parent=group, prov=place(40, 160, 160, 175))
    document.add_list_item("Second", parent=group, prov=place(40, 180, 160, 195))
    caption = document.add_text(DocItemLabel.CAPTION, "Table 1", prov=place(40, 210, 120, 225))
    document.add_table(make_table(), caption=caption, prov=place(40, 230, 350, 350))
    under = document.add_text(DocItemLabel.CAPTION, "A chart", prov=place(40, 460, 120, 470))
    picture = document.add_picture(caption=under, prov=place(40, 370, 200, 455))
    document.add_text(DocItemLabel.TEXT, "in it", parent=picture, prov=place(60, 380, 90, 390))
    document.add_text(
        DocItemLabel.PAGE_FOOTER,
        "Page 7",
        prov=place(180, 480, 230, 495),
        content_layer=ContentLayer.FURNITURE,
    )
    document.add_text(
        DocItemLabel.TEXT,
        "DRAFT",
        prov=place(0, 0, 400, 500),
        content_layer=ContentLayer.BACKGROUND,
    )
    content = ExportDocumentResponse(filename="page.png", json_content=document)
    answer = ConvertDocumentResponse(document=content, status="success", processing_time=1.5)
    return json.loads(answer.model_dump_json(by_alias=True))


def make_table() -> Any:
    """Return two rows of two cells, and one below them that is as wide as both."""
    from docling_core.types.doc import BoundingBox, TableCell, TableData

    def cell(row: int, column: int, text: str, **options: Any) -> Any:
        columns = options.pop("columns", 1)
        left, top = 40 + 155 * column, 230 + 40 * row
        return TableCell(
            bbox=BoundingBox(l=left, t=top, r=left + 155 * columns, b=top + 40),
            start_row_offset_idx=row,
            end_row_offset_idx=row + 1,
            start_col_offset_idx=column,
            end_col_offset_idx=column + columns,
            col_span=columns,
            text=text,
            **options,
        )

    cells = [
        *(cell(0, n, text, column_header=True) for n, text in enumerate(("Year", "Sales"))),
        *(cell(1, n, text, row_header=n == 0) for n, text in enumerate(("2026", "17"))),
        cell(2, 0, "all in tons", columns=2),
    ]
    return TableData(table_cells=cells, num_rows=3, num_cols=2)


def place(left: float, top: float, right: float, bottom: float, span: Any = (0, 0)) -> Any:
    """Return where an item is, of distances from the top left corner."""
    from docling_core.types.doc import BoundingBox, CoordOrigin, ProvenanceItem

    box = BoundingBox(
        l=left,
        t=PAGE[1] - top,
        r=right,
        b=PAGE[1] - bottom,
        coord_origin=CoordOrigin.BOTTOMLEFT,
    )
    return ProvenanceItem(page_no=1, bbox=box, charspan=span)


if __name__ == "__main__":
    PATH.write_text(json.dumps(make_answer(), indent=1) + "\n", "utf-8")
