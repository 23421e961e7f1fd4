"""Small media that are made here, to try a label config without files of one's own."""

import base64
import io
import tempfile
import wave
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SAMPLE_LINE = "Northwind Systems, Lisbon, 3 May 2024"
PICTURE_SIZE = (480, 320)
# What lies left and right in each picture, so that several of them differ.
PAIRS = (("square", "circle"), ("triangle", "square"), ("circle", "triangle"), ("square", "square"))
COLOURS = ("#3b6ea5", "#c8553d", "#4d8b5a", "#8a5a9e")
VIDEO_SIZE = (240, 160)
FRAMES = 25
FPS = 25.0
SOUND_RATE = 8_000
# Seconds of the two notes in the recording, with silence between and around them.
NOTES = ((0.5, 1.2), (1.8, 2.6))
SOUND_SECONDS = 3.0


def to_data_url(content: bytes, media_type: str) -> str:
    """Return a data URL."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


@cache
def sample_picture(number: int = 0) -> bytes:
    """Return a PNG of two shapes and a line of text; others for other numbers."""
    image = Image.new("RGB", PICTURE_SIZE, "#f4f1ea")
    draw = ImageDraw.Draw(image)
    for place, shape in enumerate(PAIRS[number % len(PAIRS)]):
        left = 50 + 220 * place
        _draw_shape(draw, shape, (left, 50, left + 140, 190), COLOURS[(number + place) % 4])
    draw.text((40, 250), SAMPLE_LINE, fill="black", font=ImageFont.load_default(22))
    return _to_png(image)


def _draw_shape(
    draw: ImageDraw.ImageDraw, shape: str, box: tuple[int, int, int, int], colour: str
) -> None:
    left, top, right, bottom = box
    if shape == "circle":
        draw.ellipse(box, fill=colour)
    elif shape == "square":
        draw.rectangle(box, fill=colour)
    else:
        draw.polygon([((left + right) / 2, top), (right, bottom), (left, bottom)], fill=colour)


def _to_png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


@cache
def sample_sound() -> bytes:
    """Return a WAV of three seconds: two notes with silence between them."""
    time = np.arange(int(SOUND_RATE * SOUND_SECONDS)) / SOUND_RATE
    sound = np.zeros_like(time)
    for number, (start, end) in enumerate(NOTES):
        inside = (time >= start) & (time < end)
        sound[inside] = np.sin(2 * np.pi * 330 * (number + 1) * time[inside])
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SOUND_RATE)
        out.writeframes((8000 * sound).astype("<i2").tobytes())
    return file.getvalue()


@cache
def sample_video() -> bytes:
    """Return a WebM of one second without sound: a circle moves from left to right."""
    import cv2

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sample.webm")
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), FPS, VIDEO_SIZE)
        for number in range(FRAMES):
            image = Image.new("RGB", VIDEO_SIZE, "#f4f1ea")
            left = 15 + 4 * number
            ImageDraw.Draw(image).ellipse((left, 35, left + 90, 125), fill=COLOURS[1])
            writer.write(np.asarray(image)[:, :, ::-1])
        writer.release()
        return path.read_bytes()


@cache
def sample_document() -> bytes:
    """Return a PDF of one page (A4) with three lines of text."""
    lines = ("Invoice 4711", SAMPLE_LINE, "Total: 120.00 EUR")
    shown = " T* ".join(f"({line}) Tj" for line in lines)
    page = f"BT /F1 24 Tf 40 TL 60 740 Td {shown} ET"
    objects = (
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        " /Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(page)} >>\nstream\n{page}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    text, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(f"{len(text):010} 00000 n \n")
        text += f"{number} 0 obj\n{content}\nendobj\n"
    count = len(objects) + 1
    table = f"xref\n0 {count}\n0000000000 65535 f \n{''.join(offsets)}"
    trailer = f"trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{len(text)}\n%%EOF\n"
    return (text + table + trailer).encode("ascii")
