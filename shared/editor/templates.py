"""Label Studio's own gallery of label configs, as its package has them beside the editor."""

import textwrap
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# Where the package has them, from the folder above the editor's files.
FOLDER = Path("label_studio", "annotation_templates")


@dataclass(frozen=True)
class Template:
    """One of Label Studio's templates; `group` and `key` are the names of its folders."""

    group: str
    key: str
    title: str
    label_config: str

    @property
    def name(self) -> str:
        """Group and key: `computer-vision/keypoints`."""
        return f"{self.group}/{self.key}"


@cache
def read_templates(assets: Path | None) -> tuple[Template, ...]:
    """Return the templates beside the editor's files, in the order of their names; or none."""
    if assets is None or len(assets.parents) < 4:
        return ()
    found = []
    for path in sorted((assets.parents[3] / FOLDER).glob("*/*/config.yml")):
        title, xml = parse_template(path.read_text(encoding="utf-8"))
        if title and xml:
            found.append(Template(path.parent.parent.name, path.parent.name, title, xml))
    return tuple(found)


def parse_template(text: str) -> tuple[str, str]:
    """Return title and label config of a template: its YAML has them as `title:`, `config: |`."""
    title, _, rest = text.partition("\n")
    lines: list[str] = []
    _, found, block = rest.partition("\nconfig: |")
    for line in block.partition("\n")[2].splitlines() if found else ():
        if line and not line.startswith(" "):
            break
        lines.append(line)
    return title.removeprefix("title:").strip(" '\""), textwrap.dedent("\n".join(lines)).strip()
