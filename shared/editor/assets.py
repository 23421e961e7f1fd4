"""The files of Label Studio's editor, as its wheel has them in `web/dist/apps/labelstudio`."""

import ast
import json
import re
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from shared.errors import SettingError
from shared.settings import Settings

# Releases whose editor has been started alone by our tests.
TESTED_VERSIONS = ("1.23.2",)
# Where the wheel has the files, beside its package `label_studio`.
IN_WHEEL = Path("web", "dist", "apps", "labelstudio")
SITE_PACKAGES = ("", "lib/python*/site-packages", "Lib/site-packages")
# Loaded in this order, those that exist.
ENTRY_SCRIPTS = ("runtime.js", "vendor.js", "main.js")
REMEDY = (
    "`pip install --no-deps label-studio` installs them, or LABEL_STUDIO_ASSETS names the folder"
    " of an environment in which Label Studio is installed"
)
# How main.js loads the editor: all of its chunks, and then its module, by their numbers.
_LOADED = re.compile(
    r"(?:Promise\.all\(\[)?((?:\w+\.e\(\d+\),?)+)(?:\]\))?\.then\(\w+\.bind\(\w+,(\d+)\)\)"
)
_CHUNK = re.compile(r"\.e\((\d+)\)")
_CHUNKS_NAME = re.compile(r"\bwebpackChunk\w+")
_DIST_INFO = re.compile(r"label_studio-(.+)\.dist-info")
# Only the module that is the editor sets it.
_SETS_EDITOR = "window.LabelStudio="


@dataclass(frozen=True)
class EditorAssets:
    """Where the editor's files are, and the numbers by which webpack knows the editor in them."""

    folder: Path
    version: str
    """Label Studio's release, or "unknown" if the folder does not tell."""
    chunks_name: str
    """The global list on which webpack's chunks are pushed."""
    chunks: tuple[int, ...]
    module: int
    flags: dict[str, bool] = field(default_factory=dict)
    """The release's feature flags; others are on, as in Label Studio's community edition."""

    @property
    def scripts(self) -> tuple[str, ...]:
        """The names of the scripts that the page loads, in their order."""
        return tuple(name for name in ENTRY_SCRIPTS if (self.folder / name).is_file())


def find_assets(settings: Settings) -> Path | None:
    """Return the folder of the editor's files, or None if there is none.

    That is LABEL_STUDIO_ASSETS: the folder itself, or one in which Label Studio is installed (an
    environment, or its site-packages); without it, the `label-studio` of this environment, which
    is not imported. SettingError if LABEL_STUDIO_ASSETS has no editor.
    """
    named = settings.label_studio_assets
    if named is None:
        return _find_installed()
    for pattern in SITE_PACKAGES:
        for parent in sorted(named.glob(pattern)) if pattern else [named]:
            for folder in (parent, parent / IN_WHEEL):
                if (folder / "main.js").is_file():
                    return folder.absolute()
    raise SettingError(
        f"LABEL_STUDIO_ASSETS={named}: has no editor; expected a folder with main.js of Label"
        f" Studio ({IN_WHEEL.as_posix()} in its wheel), or an environment in which it is installed"
    )


def require_assets(settings: Settings) -> EditorAssets:
    """Return the editor's files; SettingError if there are none, or if their layout is unknown."""
    folder = find_assets(settings)
    if folder is None:
        raise SettingError(f"The files of Label Studio's editor are not installed: {REMEDY}")
    return read_assets(folder)


@cache
def read_assets(folder: Path) -> EditorAssets:
    """Find the editor in its files; SettingError if their layout is unknown."""
    version = _read_version(folder)
    try:
        main = (folder / "main.js").read_text(encoding="utf-8")
        chunks_name = _CHUNKS_NAME.search(main)
        found = next(
            (numbers for numbers in _find_loads(main) if _is_editor(folder, numbers)), None
        )
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{folder}: main.js cannot be read: {error}") from None
    if chunks_name is None or found is None:
        raise SettingError(
            f"{folder}: main.js of Label Studio {version} does not load its editor in a known way;"
            f" tested: {', '.join(TESTED_VERSIONS)}"
        )
    chunks, module = found
    return EditorAssets(folder, version, chunks_name.group(), chunks, module, _read_flags(folder))


def _find_installed() -> Path | None:
    try:
        folder = Path(str(metadata.distribution("label-studio").locate_file(IN_WHEEL)))
    except metadata.PackageNotFoundError:
        return None
    return folder.absolute() if (folder / "main.js").is_file() else None


def _find_loads(main: str) -> list[tuple[tuple[int, ...], int]]:
    """Return the chunks and the module of everything that main.js loads later."""
    found = [
        (tuple(map(int, _CHUNK.findall(chunks))), int(module))
        for chunks, module in _LOADED.findall(main)
    ]
    return list(dict.fromkeys(found))


def _is_editor(folder: Path, numbers: tuple[tuple[int, ...], int]) -> bool:
    """Return whether the module's own chunk, which is the last, holds the editor."""
    chunk = folder / f"{numbers[0][-1]}.js"
    return chunk.is_file() and _SETS_EDITOR in chunk.read_text(encoding="utf-8")


def _read_version(folder: Path) -> str:
    """Return the release whose wheel was unpacked here."""
    for path in sorted(_site_packages(folder).glob("label_studio-*.dist-info")):
        if match := _DIST_INFO.fullmatch(path.name):
            return match[1]
    return "unknown"


def _read_flags(folder: Path) -> dict[str, bool]:
    """Return the feature flags of the community edition: those of a file, and those that are fixed.

    core/feature_flags/base.py of Label Studio reads them so. None are known of files alone.
    """
    package = _site_packages(folder) / "label_studio"
    try:
        known = json.loads((package / "feature_flags.json").read_text(encoding="utf-8"))["flags"]
        fixed = package / "core" / "feature_flags" / "stale_feature_flags.py"
        tree = ast.parse(fixed.read_text(encoding="utf-8"))
        values = [
            ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign)
        ]
        flags = {name: _flag_value(flag) for name, flag in known.items()}
        return {name: bool(on) for name, on in {**flags, **values[0]}.items()}
    except (OSError, ValueError, SyntaxError, LookupError, TypeError, AttributeError):
        return {}


def _flag_value(flag: dict[str, Any]) -> Any:
    """Return what a flag is without rules for some users: the format is LaunchDarkly's."""
    chosen = flag["fallthrough"]["variation"] if flag["on"] else flag["offVariation"]
    return flag["variations"][chosen]


def _site_packages(folder: Path) -> Path:
    return folder.parents[len(IN_WHEEL.parts) - 1]
