"""The part `cache` of bench_gather.py: images a second decoded into the cache, against one process with Pillow."""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from pathlib import Path

import numpy as np
from bench_lib import median_ratio, print_table, spread
from gather_crawl import write_images
from PIL import Image

from visionlab.data.decode_cache import decode_once

SIZE = 128


def measure_cache(images: int, rounds: int) -> None:
    """Bring the same files to the same size by both, in turn."""
    rates: dict[str, list[float]] = {"ours": [], "one process": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "images"
        folder.mkdir()
        write_images(folder, images)
        files = sorted(file.name for file in folder.iterdir())
        for number in range(rounds):
            for arm in sorted(rates, reverse=bool(number % 2)):
                began = time.perf_counter()
                if arm == "ours":
                    with contextlib.redirect_stderr(io.StringIO()):
                        decode_once(folder, files, SIZE, "rgb", Path(name) / f"cache {number}")
                else:
                    with_pillow(folder, files)
                rates[arm].append(images / (time.perf_counter() - began))
    print(f"\n{images:,} JPEGs of 480 x 360 pixels, to {SIZE} x {SIZE}")
    print_table(["images/s", "median", "range"], [(arm, *spread(rates[arm], 0)) for arm in rates])
    print(f"ours / one process  {median_ratio(rates['ours'], rates['one process'])}")


def with_pillow(folder: Path, files: list[str]) -> np.ndarray:
    """As it is usually written: open, convert, resize the shorter side, cut out the middle; no scaled JPEG decoding."""
    pixels = np.empty((len(files), SIZE, SIZE, 3), np.uint8)
    for index, name in enumerate(files):
        with Image.open(folder / name) as image:
            scale = SIZE / min(image.size)
            width, height = (round(side * scale) for side in image.size)
            small = image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
        left, top = (width - SIZE) // 2, (height - SIZE) // 2
        pixels[index] = np.asarray(small.crop((left, top, left + SIZE, top + SIZE)))
    return pixels
