"""`prelabel --help` comes at once: no command module imports what only its command needs."""

import subprocess
import sys

from .conftest import REPO

COMMANDS = ("serve", "demo", "predict", "pages", "validate", "doctor", "new", "expected")
HEAVY = ("numpy", "PIL", "httpx", "pydantic", "cv2", "starlette", "gunicorn", "label_studio_sdk")
HELP = f"""
import sys
from shared.cli import main
try: main()
finally: print([name for name in {HEAVY} if name in sys.modules])
"""


def test_help_imports_nothing_heavy() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", HELP, "--help"], cwd=REPO, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    *shown, imported = ran.stdout.splitlines()
    assert all(any(f" {name} " in line for line in shown) for name in COMMANDS)
    assert imported == "[]"


def test_default_that_pages_names_is_the_documents() -> None:
    from shared.media.document import DEFAULT_DPI

    ran = subprocess.run(
        [sys.executable, "-m", "shared.cli", "pages", "--help"],
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert f"(default: {DEFAULT_DPI})" in " ".join(ran.stdout.replace("│", " ").split())
