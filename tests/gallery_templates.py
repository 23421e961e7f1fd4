"""Label Studio's own templates, for tests over all of them."""

import os
from collections.abc import Iterator
from pathlib import Path

from shared.editor.assets import find_assets
from shared.editor.templates import read_templates
from shared.settings import Settings

ROOT = Path(__file__).parents[1]


def templates() -> Iterator[tuple[str, str]]:
    """Yield name and label config of each template of the Label Studio installed for tests."""
    folder = Path(os.environ.get("LABEL_STUDIO_VENV") or ROOT / ".venv-label-studio")
    if folder.exists():
        for template in read_templates(
            find_assets(Settings(label_studio_assets=folder.absolute()))
        ):
            yield template.name, template.label_config
