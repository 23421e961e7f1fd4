"""Packages that a new backend needs, and the modules that they are imported as."""

import importlib.metadata
import importlib.util
import re

from shared.errors import SettingError

# A package's name and what may follow it.
REQUIREMENT = re.compile(r"([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?:$|[\[(<>=!~;@,])")
# Packages whose module has another name, for where they are not installed yet.
IMPORTED_AS = {
    "beautifulsoup4": "bs4",
    "faiss-cpu": "faiss",
    "onnxruntime-gpu": "onnxruntime",
    "openai-whisper": "whisper",
    "opencv-python": "cv2",
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "python-dateutil": "dateutil",
    "pyyaml": "yaml",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
    "tensorflow-cpu": "tensorflow",
}


def import_name(requirement: str) -> str:
    """Return what a package is imported as: as its metadata says, else as its name suggests.

    SettingError if the text is not a requirement.
    """
    match = REQUIREMENT.match(requirement)
    if match is None:
        raise SettingError(
            f'"{requirement}" names no package; expected e.g. scikit-learn or "scikit-learn>=1.5"'
        )
    package = _normalize(match[1])
    for module, packages in importlib.metadata.packages_distributions().items():
        if package in map(_normalize, packages):
            return module
    return IMPORTED_AS.get(package, package.replace("-", "_"))


def is_known_module(module: str) -> bool:
    """Return whether there is a module of that name, installed or listed here."""
    return module in IMPORTED_AS.values() or importlib.util.find_spec(module) is not None


def _normalize(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()
