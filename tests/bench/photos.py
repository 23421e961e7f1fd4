"""Photos for benchmarks of networks that have learned from photos."""

from pathlib import Path

import cv2
import numpy as np

from backends.detection.model import parity

SIZE = (640, 480)


def photos(folder: Path, count: int) -> None:
    """Parts of the photos that Ultralytics' package brings, each another one, as JPEG."""
    whole = [image.pixels for image in parity.comparison_images() if image.size.height > 600]
    for number in range(count):
        draw = np.random.default_rng(number)
        photo = whole[number % len(whole)]
        height, width = photo.shape[:2]
        across = int(min(width, height * 4 / 3) * draw.uniform(0.5, 1))
        down = across * 3 // 4
        x, y = draw.integers(0, width - across + 1), draw.integers(0, height - down + 1)
        part = cv2.resize(photo[y : y + down, x : x + across], SIZE)
        cv2.imwrite(str(folder / f"{number}.jpg"), part[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
