"""The part `recall` of bench_gather.py: how many altered copies of real photos are found, and how many false alarms.

Copies are compared with the originals as gathered images are with test images; a second folder of photos, none of which
is in the first, shows how often different photos are taken for copies.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from bench_lib import print_table
from PIL import Image, ImageOps
from tqdm import tqdm

from visionlab.data.listing import images_below
from visionlab.gather.matching import find_copies
from visionlab.gather.signature import Signature, Signatures, sign

Change = Callable[[Image.Image, np.random.Generator], Image.Image]


def compressed(quality: int, image: Image.Image, _: np.random.Generator) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("RGB")


def scaled(shorter: int, image: Image.Image, _: np.random.Generator) -> Image.Image:
    factor = shorter / min(image.size)
    return image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.BICUBIC)


def mirrored(image: Image.Image, _: np.random.Generator) -> Image.Image:
    return ImageOps.mirror(image)


def grey(image: Image.Image, _: np.random.Generator) -> Image.Image:
    return image.convert("L").convert("RGB")


def sepia(image: Image.Image, _: np.random.Generator) -> Image.Image:
    return ImageOps.colorize(image.convert("L"), (30, 15, 0), (255, 235, 200))


def cut(extent: float, centred: bool, image: Image.Image, random: np.random.Generator) -> Image.Image:
    width, height = (round(side * extent) for side in image.size)
    left, top = (0.5, 0.5) if centred else random.random(2)
    x, y = round(left * (image.width - width)), round(top * (image.height - height))
    return image.crop((x, y, x + width, y + height))


def all_of(*changes: Change) -> Change:
    return partial(_all_of, changes)


def _all_of(changes: tuple[Change, ...], image: Image.Image, random: np.random.Generator) -> Image.Image:
    for change in changes:
        image = change(image, random)
    return image


CHANGES: dict[str, Change] = {
    "JPEG quality 50": partial(compressed, 50),
    "JPEG quality 75, twice": all_of(partial(compressed, 75), partial(compressed, 75)),
    "scaled to 96 pixels": partial(scaled, 96),
    "scaled to 160 pixels": partial(scaled, 160),
    "mirrored": mirrored,
    "mirrored, 96 pixels, quality 50": all_of(mirrored, partial(scaled, 96), partial(compressed, 50)),
    "grey": grey,
    "grey, 160 pixels": all_of(grey, partial(scaled, 160)),
    "grey, mirrored, 96 pixels, quality 50": all_of(grey, mirrored, partial(scaled, 96), partial(compressed, 50)),
    "sepia": sepia,
} | {
    f"{'middle' if centred else 'any part'} with {extent:.0%} of each side": partial(cut, extent, centred)
    for centred in (True, False)
    for extent in (0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.6)
}


def measure_recall(photos: Path, others: Path, count: int) -> None:
    """Alter `count` of the photos in the one folder in every way; compare all of it with all of the other folder."""
    files = photos_in(photos)
    chosen = [files[int(index * len(files) / count)] for index in range(min(count, len(files)))]
    with ProcessPoolExecutor() as pool:
        progress = partial(tqdm, unit="image", disable=None)
        altered = list(
            progress(pool.map(signatures_of, chosen, range(len(chosen))), total=len(chosen), desc="altering")
        )
        everything, foreign = (
            Signatures.of(list(progress(pool.map(signature_of, side), total=len(side), desc="reading")))
            for side in (files, photos_in(others))
        )
    originals = Signatures.of([one["as it is"] for one in altered])
    rows = []
    for name in CHANGES:
        matches = find_copies(Signatures.of([one[name] for one in altered]), originals)
        found = sum(match.query == match.reference for match in matches)
        rows.append((name, f"{found / len(chosen):.1%}"))
    print(f"\n{len(chosen):,} photos")
    print_table(["change", "found"], rows)
    alarms = {match.query for match in find_copies(foreign, everything)}
    print(f"\n{len(foreign):,} other photos against {len(everything):,}: {len(alarms)} taken for copies")


def photos_in(folder: Path) -> list[Path]:
    return list(images_below(folder, Counter(), print))


def signature_of(file: Path) -> Signature:
    return sign(upright(file))


def signatures_of(file: Path, seed: int) -> dict[str, Signature]:
    """Of the photo as it is and after each change."""
    image, random = upright(file), np.random.default_rng(seed)
    return {"as it is": sign(image)} | {name: sign(change(image, random)) for name, change in CHANGES.items()}


def upright(file: Path) -> Image.Image:
    with Image.open(file) as image:
        return ImageOps.exif_transpose(image).convert("RGB")
