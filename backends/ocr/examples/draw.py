"""Draws the example images: `python -m backends.ocr.examples.draw`."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

RECEIPT = (
    ("CORNER MARKET", ""),
    ("12 Oak Street", ""),
    ("Fresh milk", "2.49"),
    ("Rye bread", "3.10"),
    ("Apples 1.2 kg", "4.32"),
    ("TOTAL", "9.91"),
    ("Thank you", ""),
)
SIGN = ("PLATFORM 9", "Trains to Harbour", "Mind the gap")


def receipt() -> Image.Image:
    """Draw a till receipt, slightly turned on a dark table."""
    paper = Image.new("RGB", (420, 560), "#fbfaf5")
    pen = ImageDraw.Draw(paper)
    for row, (left, right) in enumerate(RECEIPT):
        font = ImageFont.load_default(30 if row in (0, 5) else 24)
        pen.text((40, 40 + row * 70), left, "#222222", font)
        pen.text((380, 40 + row * 70), right, "#222222", font, anchor="ra")
    table = Image.new("RGB", (600, 720), "#5b4636")
    turned = paper.convert("RGBA").rotate(-4, Image.Resampling.BICUBIC, expand=True)
    table.paste(turned, (70, 60), turned)
    return table


def sign() -> Image.Image:
    """Draw a station sign, upright."""
    image = Image.new("RGB", (640, 400), "#16325c")
    pen = ImageDraw.Draw(image)
    for row, text in enumerate(SIGN):
        font = ImageFont.load_default(58 if row == 0 else 42)
        pen.text((50, 60 + row * 110), text, "white", font)
    return image


def main() -> None:
    """Write both; the sign like a camera that was held sideways (EXIF orientation 6)."""
    folder = Path(__file__).parent
    receipt().save(folder / "receipt.png", optimize=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways = sign().transpose(Image.Transpose.ROTATE_90)
    sideways.save(folder / "sign.jpg", quality=88, exif=exif)


if __name__ == "__main__":
    main()
