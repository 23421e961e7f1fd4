"""The folder of a converted network: all that it takes to run it without PyTorch and Ultralytics.

`model.xml` and `model.bin` are OpenVINO's, or `model.onnx` is ONNX Runtime's; `network.json` says
what else Ultralytics knew of the network, and `bf16.txt` why it is not to run in bf16, or nothing
where it may. Where `prelabel export` was asked for int8, `int8.xml` and `int8.bin` are a copy in
it, and `int8.txt` says how well it agrees; or `int8_refused.txt` says why there is none.
`checksums.json` tells whether a file is damaged. Instead of all of them, `refused.txt` says why the
network is not used.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from backends._inference.checksums import check_files
from backends._inference.parity import REJECTION_FILE, read_rejection, remove_broken
from backends.detection.model.architecture import NetworkSpec, with_image_size
from backends.detection.model.conversion import CONVERSION_VERSION, takes_any_size
from shared.backend.weights import hash_files
from shared.errors import ModelError

DESCRIPTION_FILE = "network.json"
BF16_FILE = "bf16.txt"
INT8_FILE, INT8_VERDICT_FILE = "int8.xml", "int8.txt"
INT8_REFUSAL_FILE = "int8_refused.txt"
MODEL_FILES = {"openvino": "model.xml", "onnx": "model.onnx"}
# In place of an image size: the network takes any.
ANY_SIZE = -1
# The packages that convert, besides the engine's own.
CONVERTERS = ("torch", "ultralytics")


@dataclass(frozen=True)
class ConvertedNetwork:
    """A converted network. `trained` describes it at the image size that it was trained at.

    Raises ModelError from its constructors where the folder holds no network but a refusal.
    """

    folder: Path
    engine: str
    trained: NetworkSpec

    @classmethod
    def open(cls, folder: Path, engine: str) -> "ConvertedNetwork | None":
        """Read a folder; None if there is nothing."""
        rejection = read_rejection(folder)
        if rejection is not None:
            raise ModelError(rejection)
        path = folder / DESCRIPTION_FILE
        if not path.is_file():
            return None
        found = json.loads(path.read_text(encoding="utf-8"))
        lists = {name: tuple(value) for name, value in found.items() if isinstance(value, list)}
        return cls(folder, engine, NetworkSpec(**{**found, **lists}))

    @property
    def path(self) -> Path:
        """The file that the engine reads."""
        return self.folder / MODEL_FILES[self.engine]

    def check(self) -> None:
        """Raise DamagedFileError if what the engine reads is not what was written."""
        self._check(self.path)

    def check_int8(self) -> None:
        """Raise DamagedFileError if its copy in int8 is not what was written."""
        self._check(self.folder / INT8_FILE)

    def _check(self, path: Path) -> None:
        check_files(self.folder, (DESCRIPTION_FILE, path.name, path.with_suffix(".bin").name))

    def spec_at(self, image_size: int) -> NetworkSpec:
        """Return what the network is at an image size; 0 is the one that it was trained at."""
        return with_image_size(self.trained, image_size)

    def read_bf16_obstacle(self) -> str | None:
        """Return why it must not run in bf16, "" if it may; None if that was never tried."""
        return self._read(BF16_FILE)

    def read_int8_verdict(self) -> str | None:
        """Return how well its copy in int8 agrees; None if it has none."""
        return self._read(INT8_VERDICT_FILE)

    def read_int8_refusal(self) -> str | None:
        """Return why no copy in int8 was kept; None if none was refused."""
        return self._read(INT8_REFUSAL_FILE)

    def write_bf16_obstacle(self, obstacle: str) -> None:
        """Keep whether it may run in bf16: whole, as an empty file would say that it may."""
        path = self.folder / BF16_FILE
        draft = path.with_name(f".{path.name}-{os.getpid()}")
        try:
            draft.write_text(obstacle, encoding="utf-8")
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    def _read(self, name: str) -> str | None:
        path = self.folder / name
        return path.read_text(encoding="utf-8") if path.is_file() else None


@dataclass(frozen=True)
class ConversionCache:
    """Where the conversions of one file of weights for one engine are kept."""

    weights: Path
    engine: str
    cache_dir: Path

    def find(self, image_size: int) -> ConvertedNetwork | None:
        """Return the network for an image size; None if it has not been converted.

        Raises:
            ModelError: it was converted, and differs too far from PyTorch's.
        """
        for size in (ANY_SIZE, image_size):
            found = ConvertedNetwork.open(self.folder_for(size), self.engine)
            if found is not None:
                return found
        return None

    def remove(self, image_size: int, error: Exception) -> None:
        """Delete what was converted for an image size, and log why: it cannot be loaded."""
        for size in (ANY_SIZE, image_size):
            if self.folder_for(size).is_dir():
                remove_broken(self.folder_for(size), error)

    def folder_of(self, trained: NetworkSpec, image_size: int) -> Path:
        """Return the folder of a network for an image size."""
        return self.folder_for(ANY_SIZE if takes_any_size(trained) else image_size)

    def folder_for(self, size: int) -> Path:
        """Return a folder, whose name has a hash of all that the conversion depends on."""
        packages = [f"{name} {_version(name)}" for name in (self.engine, *CONVERTERS)]
        parts = (CONVERSION_VERSION, hash_files([self.weights]), size, *packages)
        digest = hashlib.sha256(repr(parts).encode()).hexdigest()
        return self.cache_dir / self.engine / f"{self.weights.stem}-{digest[:20]}"


def write_description(folder: Path, trained: NetworkSpec) -> None:
    """Write what is known of a network beside its conversion."""
    text = json.dumps(asdict(trained), ensure_ascii=False, indent=1)
    (folder / DESCRIPTION_FILE).write_text(text, encoding="utf-8")


def write_rejection(folder: Path, reason: str) -> None:
    """Keep why a network is not used, so that it is not converted again."""
    (folder / REJECTION_FILE).write_text(reason, encoding="utf-8")


def files_of(folder: Path) -> Sequence[Path]:
    """Return the files of a converted network, whose hash is part of the model version."""
    return sorted(path for path in folder.iterdir() if path.is_file() and path.name[0] != ".")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"
