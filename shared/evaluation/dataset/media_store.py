"""Fetches the media of a dataset, each once, into a folder: what is there is not fetched again."""

import hashlib
import io
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
from PIL.Image import fromarray
from PIL.Image import open as open_image

from shared.errors import PrelabelError
from shared.evaluation.dataset.frames import read_frames
from shared.evaluation.dataset.near_duplicates import image_signature
from shared.evaluation.dataset.workspace import write_file
from shared.media.image import Image, content_digest
from shared.media.reader import MediaReader, memoized_reads

# Media that are fetched at a time, and that wait to be taken.
FETCH_THREADS = 4
QUEUED_MEDIA = 16
# Formats that are kept as they are, with the endings that trainers know, unless they are turned by
# EXIF or have other pixels than 8-bit gray or RGB: those are written anew.
KEPT_FORMATS = {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "WEBP": ".webp"}
KEPT_MODES = {"RGB", "L"}
EXIF_ORIENTATION = 274
JPEG_QUALITY = 95
# Ends of recordings' addresses that are kept.
AUDIO_SUFFIXES = {".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a", ".webm", ".aac", ".aiff"}
# Ends of videos' files by their containers.
VIDEO_SUFFIXES = {"matroska": ".mkv", "mov": ".mp4", "ogg": ".ogv", "avi": ".avi"}


@dataclass(frozen=True)
class MediaRequest:
    """A medium to fetch: a picture, the frames of a video, or a video, sound or series as it is.

    Of a video every `frame_step`-th frame is made a picture; 0 keeps the file.
    """

    tag: str
    address: str
    task: Any = None
    frame_rate: float = 0.0
    frame_step: int = 0

    @property
    def key(self) -> str:
        """What identifies the files made of it."""
        made = f"{self.tag} {self.frame_rate} {self.frame_step} {self.address}"
        return hashlib.blake2b(made.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@dataclass(frozen=True)
class StoredFile:
    """A file in the store: a picture with its size in pixels and signature, or a whole file."""

    file: str
    width: int = 0
    height: int = 0
    frame: int | None = None
    signature: str = ""


@dataclass(frozen=True)
class StoredMedium:
    """The files made of a medium, and the digest of what was fetched."""

    digest: str
    files: tuple[StoredFile, ...]


class MediaStore:
    """Fetches media by a few threads into a folder."""

    def __init__(self, folder: Path, media: MediaReader) -> None:
        self.folder = folder
        self._media = media
        self.fetched = 0

    def fetch_all(
        self, requests: Iterable[MediaRequest]
    ) -> Iterator[tuple[MediaRequest, StoredMedium | PrelabelError]]:
        """Yield each medium in order, or why it cannot be used."""
        waiting: deque[tuple[MediaRequest, Future[StoredMedium]]] = deque()
        with ThreadPoolExecutor(FETCH_THREADS, "dataset media") as pool:
            try:
                for request in requests:
                    # One that is being fetched is waited for, not fetched twice.
                    running = next(
                        (one for other, one in waiting if other.key == request.key), None
                    )
                    waiting.append((request, running or pool.submit(self._fetch, request)))
                    if len(waiting) >= QUEUED_MEDIA:
                        yield _take(waiting)
                while waiting:
                    yield _take(waiting)
            finally:
                for _, future in waiting:
                    future.cancel()

    def find(self, request: MediaRequest) -> StoredMedium | None:
        """Return a medium that was fetched before."""
        path = self.folder / f"{request.key}.json"
        try:
            written = orjson.loads(path.read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return None
        files = tuple(StoredFile(**one) for one in written["files"])
        return StoredMedium(written["digest"], files)

    def path(self, file: StoredFile) -> Path:
        """Return the path of a stored file."""
        return self.folder / file.file

    def _fetch(self, request: MediaRequest) -> StoredMedium:
        known = self.find(request)
        if known is not None:
            return known
        with memoized_reads():
            data = self._media.fetch(request.address, request.task)
            files = tuple(self._write_files(request, data))
        made = StoredMedium(content_digest(data), files)
        write_file(self.folder / f"{request.key}.json", orjson.dumps(asdict(made)))
        self.fetched += 1
        return made

    def _write_files(self, request: MediaRequest, data: bytes) -> Iterator[StoredFile]:
        if request.tag == "Audio":
            suffix = Path(request.address.partition("?")[0][-16:]).suffix.lower()
            name = request.key + (suffix if suffix in AUDIO_SUFFIXES else ".audio")
            write_file(self.folder / name, data)
            yield StoredFile(name)
        elif request.tag == "TimeSeries":
            write_file(self.folder / f"{request.key}.series", data)
            yield StoredFile(f"{request.key}.series")
        elif request.tag == "Video" and not request.frame_step:
            video = self._media.read_video(request.address, request.task)
            name = request.key + VIDEO_SUFFIXES[video.container]
            write_file(self.folder / name, data)
            yield StoredFile(name, *video.size)
        elif request.tag == "Video":
            video = self._media.read_video(request.address, request.task)
            for number, image in read_frames(video, request.frame_rate, request.frame_step):
                yield self._write_image(f"{request.key}-{number}", image, _to_jpeg(image), number)
        else:
            image = self._media.read_image(request.address, request.task)
            yield self._write_image(request.key, image, upright_file(data, image))

    def _write_image(
        self, stem: str, image: Image, file: tuple[str, bytes], frame: int | None = None
    ) -> StoredFile:
        suffix, data = file
        write_file(self.folder / (stem + suffix), data)
        signature = f"{image_signature(image.pixels):x}"
        return StoredFile(stem + suffix, image.size.width, image.size.height, frame, signature)


def _take(
    waiting: "deque[tuple[MediaRequest, Future[StoredMedium]]]",
) -> tuple[MediaRequest, StoredMedium | PrelabelError]:
    request, future = waiting.popleft()
    try:
        return request, future.result()
    except PrelabelError as error:
        return request, error


def upright_file(data: bytes, image: Image) -> tuple[str, bytes]:
    """Return the ending and content of a picture's file that every trainer reads upright.

    Trainers differ in which EXIF orientations of which formats they follow: so a picture that has
    one is written turned and without EXIF, a JPEG in high quality and others without loss. Files
    that need no change are kept byte for byte.
    """
    with open_image(io.BytesIO(data)) as file:
        kind, mode = file.format or "", file.mode
        turned = file.getexif().get(EXIF_ORIENTATION, 1) not in {0, 1}
        plain = mode in KEPT_MODES and "transparency" not in file.info
        single = getattr(file, "n_frames", 1) == 1
    if kind in KEPT_FORMATS and plain and single and not turned:
        return KEPT_FORMATS[kind], data
    return _to_jpeg(image) if kind in {"JPEG", "MPO"} else _to_png(image)


def _to_jpeg(image: Image) -> tuple[str, bytes]:
    file = io.BytesIO()
    fromarray(image.pixels).save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return ".jpg", file.getvalue()


def _to_png(image: Image) -> tuple[str, bytes]:
    file = io.BytesIO()
    fromarray(image.pixels).save(file, "PNG")
    return ".png", file.getvalue()
