"""Write docs/gallery.md, from the templates of the Label Studio of the tests."""

import os
from pathlib import Path

from shared.editor.assets import require_assets
from shared.editor.templates import read_templates
from shared.settings import Settings

from .. import REPO
from .page import render_page
from .run import fill_templates

PAGE = REPO / "docs" / "gallery.md"


def main() -> None:
    """Plan the templates, and write the page."""
    folder = Path(os.environ.get("LABEL_STUDIO_VENV") or REPO / ".venv-label-studio").absolute()
    assets = require_assets(Settings(label_studio_assets=folder))
    PAGE.write_text(render_page(fill_templates(read_templates(assets.folder))), "utf-8")


if __name__ == "__main__":
    main()
