"""Small collections of labelled images, in each of the layouts that there are."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

Files = Mapping[str, bytes]


def jpeg(number: int, side: int = 16) -> bytes:
    """An image that differs from that of any other number."""
    stream = io.BytesIO()
    Image.new("RGB", (side, side), (number % 256, number // 256, 99)).save(stream, "JPEG")
    return stream.getvalue()


def flat(folder: str = "train/", count: int = 3) -> dict[str, bytes]:
    """As in train.zip of the competition."""
    numbered = {"cat": 0, "dog": 500}
    return {f"{folder}{label}.{i}.jpg": jpeg(first + i) for label, first in numbered.items() for i in range(count)}


def in_folders(folder: str = "PetImages/", names: tuple[str, str] = ("Cat", "Dog"), count: int = 3) -> dict[str, bytes]:
    """As in the archive of PetImages."""
    return {f"{folder}{name}/{i}.jpg": jpeg(500 * k + i) for k, name in enumerate(names) for i in range(count)}


def zipped(path: Path, files: Files) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return path


def unpacked(root: Path, files: Files) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def content(root: Path) -> dict[str, bytes]:
    """The images below a folder, by path."""
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in root.glob("*/*")}


def as_made(files: Files) -> dict[str, bytes]:
    """What a test set of these files has to hold."""
    made = {}
    for path, image in files.items():
        name = path.rpartition("/")[2]
        parent = path.split("/")[-2] if "/" in path else ""
        label = parent.lower() if parent.lower() in ("cat", "dog") else name[:3]
        made[f"{label}/{name}"] = image
    return made
