"""The page of the editor, as text: what is shown of it is in test_browser."""

import base64
import hashlib
import json
import re

from shared.editor.assets import EditorAssets
from shared.editor.page import page_headers, render_page

DATA = re.compile('<script type="application/json" id="editor-data">(.*?)</script>', re.DOTALL)


def test_the_page_names_what_is_loaded_and_ends_no_script_early(assets: EditorAssets) -> None:
    task = {"data": {"text": "</script><script>alert(1)</script>"}}
    page = render_page(assets, "/files/", "<View/>", task)
    [data] = DATA.findall(page)
    assert json.loads(data)["initial"] == {"config": "<View/>", "task": task}
    assert json.loads(data)["loading"]["module"] == assets.module
    assert '<base href="/files/">' in page
    assert page.count("<script") == 2 + len(assets.scripts)


def test_only_the_pages_own_inline_script_is_allowed(assets: EditorAssets) -> None:
    [script] = re.findall(r"<script>(.*?)</script>", render_page(assets, "/"), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = page_headers()["Content-Security-Policy"]
    assert f"script-src 'self' 'wasm-unsafe-eval' 'sha256-{digest}';" in policy
    assert "http" not in policy
