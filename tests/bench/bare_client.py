"""Users beside the `openai` client alone: a server that does nothing but answer JSON with JSON.

In its process threads ask a server of models, each the next question when the last is answered.
What that costs users no server costs them less that asks by this client in its own process.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.serving import Served, free_port

QUESTION: list[Any] = [
    {"role": "system", "content": "Say whether the mood of the text is Good or Bad."},
    {"role": "user", "content": "text: task 1"},
]


def application() -> Starlette:
    """The application, for uvicorn; BASE_URL is that of the server of models."""
    client = openai.OpenAI(base_url=os.environ["BASE_URL"], api_key="none", max_retries=0)
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            client.chat.completions.create(model="any", messages=QUESTION)

    async def health(request: Request) -> JSONResponse:
        return JSONResponse({})

    async def predict(request: Request) -> JSONResponse:
        tasks = (await request.json())["tasks"]
        return JSONResponse({"results": [{"result": []} for _ in tasks]})

    async def start(request: Request) -> JSONResponse:
        stop.clear()
        for _ in range((await request.json())["threads"]):
            threading.Thread(target=ask, daemon=True).start()
        return JSONResponse({})

    async def end(request: Request) -> JSONResponse:
        stop.set()
        return JSONResponse({})

    paths = {"/predict": predict, "/start": start, "/end": end}
    routes = [Route(path, do, methods=["POST"]) for path, do in paths.items()]
    return Starlette(routes=[Route("/health", health), *routes])


@contextmanager
def bare_server(models_url: str, log: Path) -> Iterator[str]:
    """Run it in a process of its own; yield its address."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", f"{__name__}:application"]
    command += ["--port", str(port), "--log-level", "error"]
    with log.open("wb") as out:
        environment = os.environ | {"BASE_URL": models_url}
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
    server = Served(process, f"http://127.0.0.1:{port}", log)
    try:
        server.wait()
        yield server.url
    finally:
        process.terminate()
        process.wait()


@contextmanager
def asking(url: str, threads: int, answer_seconds: float) -> Iterator[None]:
    """Let so many threads ask during the block; all have their last answers after it."""
    httpx.post(f"{url}/start", json={"threads": threads})
    time.sleep(answer_seconds)
    try:
        yield
    finally:
        httpx.post(f"{url}/end")
        time.sleep(2 * answer_seconds)
