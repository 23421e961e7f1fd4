"""Print our files in the order in which a warm `/predict` first enters them.

`python -m tests.documents.task_path` runs a small text backend in this process; the page
Architecture names the same files in the same order.
"""

import asyncio
import sys
import threading
from collections.abc import Iterable, Sequence
from types import FrameType
from typing import Any

import httpx

from shared.backend import Backend, Claim
from shared.results import Region, TextSpan, region
from shared.server.app import create_app
from shared.server.backend_service import BackendService
from shared.settings import Settings

from . import REPO

LABEL_CONFIG = """<View><Text name="text" value="$text"/>
<Labels name="label" toName="text"><Label value="Word"/></Labels></View>"""


class FirstWord(Backend):
    """Marks the first word of each text."""

    name = "first_word"
    fills = frozenset({("Labels", "Text")})

    def infer(self, model: Any, items: list[Any]) -> Sequence[Any]:
        return [(text, len(text.split()[0])) for text in items]

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        text, end = output
        for label in claim.labels_for(["Word"]).values():
            yield region(TextSpan(0, end), {claim.control: [label]}, source=text)


async def entered_files() -> list[str]:
    """Return the files that the second request enters; the first one loads the model."""
    files: dict[str, None] = {}
    shared = f"{REPO}/shared/"

    def record(frame: FrameType, event: str, argument: object) -> None:
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(shared):
            files[file.removeprefix(f"{REPO}/")] = None

    app = create_app(BackendService([FirstWord]), Settings())
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://prelabel") as client:
        threading.setprofile(record)
        sys.setprofile(record)
        for text in ("one text", "another text"):
            files.clear()
            tasks = [{"id": number, "data": {"text": f"{text} {number}"}} for number in (1, 2)]
            body = {"tasks": tasks, "label_config": LABEL_CONFIG, "project": "1.1"}
            response = await client.post("/predict", json=body)
            assert all(result["result"] for result in response.json()["results"])
        sys.setprofile(None)
        threading.setprofile(None)
    return list(files)


if __name__ == "__main__":
    sys.stdout.write("\n".join(asyncio.run(entered_files())) + "\n")
