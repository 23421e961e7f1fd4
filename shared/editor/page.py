"""The page that shows a label config and a task in Label Studio's editor alone."""

import base64
import hashlib
import html
import json
from functools import cache
from pathlib import Path
from typing import Any

from shared.editor.assets import EditorAssets

# What of the editor is shown: regions and their details, and of the predictions one after another.
INTERFACES = ("panel", "controls", "side-column", "predictions:menu", "annotations:menu", "topbar")
# Scripts that HTML of a task, or a label, might hold are not run: scripts come from this server
# only, and this page's own is known by its hash. The editor styles inline, and decodes sound by
# WebAssembly in workers that it makes as blobs.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval' '{script}'; worker-src 'self' blob:"
    " data:; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data:"
    " blob:; font-src 'self' data:; connect-src 'self' data: blob:; frame-src 'self' blob: data:;"
    " base-uri 'self'; form-action 'none'"
)
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<base href="{base}"><link rel="stylesheet" href="main.css">
<style>html, body, #editor, #label-studio {{ height: 100%; margin: 0; }}</style></head>
<body><div id="editor"></div>
<script type="application/json" id="editor-data">{data}</script>
<script>{script}</script>
{scripts}
</body></html>
"""


def render_page(
    assets: EditorAssets,
    base_url: str,
    config: str | None = None,
    task: dict[str, Any] | None = None,
) -> str:
    """Return the HTML of a page with the editor, at first with a task if one is given.

    `base_url` is the address, ending in `/`, under which the files of `assets.folder` are served;
    from the page's own host, as the policy of `page_headers` demands. `task` is one as Label Studio
    exports it, with `data`, `predictions` and `annotations`; the media in its data have to be
    data URLs, or addresses on the page's host.

    In a frame with `sandbox="allow-scripts"` it works, too (its origin is "null" there): the page
    around it waits for the message `{prelabel: {ready: true}}`, posts
    `{show: {config, task}}`, as often as it likes, and receives `{prelabel: {shown: true}}` or
    `{prelabel: {failed: "why"}}`. The files of the editor, and media which are no data URLs, then
    need the header `Access-Control-Allow-Origin: *`, since fonts, sound and its decoder are
    fetched from the frame.
    """
    data = {
        "loading": {
            "name": assets.chunks_name,
            "chunks": assets.chunks,
            "module": assets.module,
            "interfaces": INTERFACES,
            "react": "v17",
        },
        "settings": _app_settings(assets),
        "initial": None if config is None else {"config": config, "task": task or {}},
    }
    scripts = (f'<script src="{html.escape(name)}"></script>' for name in assets.scripts)
    return PAGE.format(
        title="Label Studio's editor",
        base=html.escape(base_url),
        data=_embed_json(data),
        script=_starter(),
        scripts="\n".join(scripts),
    )


@cache
def page_headers() -> dict[str, str]:
    """Return the headers that the page is to be sent with."""
    digest = base64.b64encode(hashlib.sha256(_starter().encode()).digest()).decode()
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": CONTENT_SECURITY_POLICY.format(script=f"sha256-{digest}"),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }


@cache
def _starter() -> str:
    return Path(__file__).with_name("page.js").read_text(encoding="utf-8")


def _app_settings(assets: EditorAssets) -> dict[str, Any]:
    """Return what Label Studio's own pages tell the editor (templates/base.html)."""
    return {
        "user": {"id": 1},
        "feature_flags": assets.flags,
        "feature_flags_default_value": True,
        "debug": False,
        "hostname": "",
        "version": {},
        "collect_analytics": False,
    }


def _embed_json(value: Any) -> str:
    """Return JSON that no `</script>` in a text can end."""
    return json.dumps(value).replace("<", "\\u003c")
