"""Calls a function in a short process of its own, whose memory goes back to the system.

What converts a network needs PyTorch and the library that reads the network: half a gigabyte, which
the server that then runs the converted network would never give back.

The process reads the call as one line of JSON from its standard input, and writes the answer as
another to its standard output. It ends when its input does, which is when the process that asked
has gone.
"""

import importlib
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.errors import ModelError, PrelabelError
from shared.settings import restrain_libraries

logger = logging.getLogger(__name__)

# The folder that holds the packages `backends` and `shared`.
_ROOT = Path(__file__).parents[2]


class ProcessFailedError(Exception):
    """The function raised an error that is none of ours, or its process was ended."""


def call_in_process(function: str, arguments: Mapping[str, Any], beside_torch: bool = False) -> Any:
    """Return what `module:function` returns for these arguments; all are values of JSON.

    Its warnings are logged here. Where PyTorch is imported already, nothing is to be saved, and it
    is called in this process; not so `beside_torch`, for what takes gigabytes itself.

    Raises:
        ModelError: the function raised an error of ours.
        ProcessFailedError: it raised another error, named in one line; its traceback is on
            standard error.
    """
    if not beside_torch and sys.modules.get("torch") is not None:
        return find_function(function)(**arguments)
    answer = _ask(json.dumps({"function": function, "arguments": dict(arguments)}))
    for name, level, message in answer.get("log", ()):
        logging.getLogger(name).log(level, "%s", message)
    if "refusal" in answer:
        raise ModelError(answer["refusal"])
    if "failure" in answer:
        raise ProcessFailedError(answer["failure"])
    return answer["result"]


def _ask(call: str) -> dict[str, Any]:
    """Return the answer of a new process."""
    code = f"import sys; sys.path.insert(0, {str(_ROOT)!r}); from {__name__} import main; main()"
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(call.encode() + b"\n")
            process.stdin.flush()
            answer = process.stdout.read()
        except BrokenPipeError:  # it ended before it had read the call
            answer = b""
        status = process.wait()
    if not answer:
        return {"failure": f"its process ended with status {status}"}
    return dict(json.loads(answer))


def find_function(name: str) -> Any:
    """Return what `module:function` names."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


class _KeptWarnings(logging.Handler):
    """Keeps warnings and errors for the process that asked."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.kept: list[tuple[str, int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append((record.name, record.levelno, record.getMessage()))


def main() -> None:
    """Answer the call on standard input."""
    # What libraries print must not get into the answer.
    out = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    call = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_input, daemon=True).start()
    restrain_libraries()
    warnings = _KeptWarnings()
    for name in ("backends", "shared"):
        logging.getLogger(name).addHandler(warnings)
    answer = _answer(call) | {"log": warnings.kept}
    with os.fdopen(out, "w") as stream:
        json.dump(answer, stream)


def _answer(call: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return {"result": find_function(call["function"])(**call["arguments"])}
    except PrelabelError as error:
        return {"refusal": str(error)}
    except Exception as error:  # a converter raises many kinds
        logging.getLogger(__name__).exception("%s", call["function"])
        first_line = (str(error).strip().splitlines() or [""])[0].rstrip(".")
        return {"failure": f"{type(error).__name__}: {first_line}"}


def _end_with_input() -> None:
    # Not by `sys.stdin`, whose lock would be held when the interpreter ends.
    while os.read(0, 1):
        pass
    os._exit(1)
