"""`manifest.csv`: of every image that was found where it comes from, what it is, and what was decided about it."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

from visionlab.errors import UserError

FILE_NAME = "manifest.csv"
Decision = Literal["keep", "drop"]


@dataclass(frozen=True)
class Row:
    """One image address of one class.

    Attributes:
        file: where it lies below the data set's folder; empty where there is no file, or where another row has it.
        label: its class; the column is called class.
        query, source, page_url, image_url, licence: where it was found, and what the source tells.
        fetched: when, in UTC.
        bytes, sha256: of the file as it was served.
        pixel_hash: of the upright RGB pixels.
        perceptual_hash: 16 hexadecimal digits.
        width, height: of the upright image.
        reason: why it was dropped, in the words that rejected/ has folders of.
        detail: about the reason, such as the file that it is a duplicate of.
    """

    file: str
    label: str
    query: str
    source: str
    page_url: str
    image_url: str
    fetched: str
    licence: str
    bytes: str
    sha256: str
    pixel_hash: str
    perceptual_hash: str
    width: str
    height: str
    decision: Decision
    reason: str
    detail: str


COLUMNS = tuple("class" if field.name == "label" else field.name for field in fields(Row))


def write_manifest(root: Path, rows: Sequence[Row]) -> Path:
    """Write the manifest of the data set in `root`, whole or not at all."""
    file = root / FILE_NAME
    part = file.with_suffix(".part")
    with part.open("w", newline="", encoding="utf-8", errors="backslashreplace") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(asdict(row).values() for row in rows)
    part.replace(file)
    return file


def read_manifest(root: Path) -> list[Row]:
    """The rows of the manifest in `root`.

    Raises:
        UserError: there is none, or it is not one.
    """
    file = root / FILE_NAME
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(
            f"{file}: expected the manifest of a gathered data set, found no file; run `visionlab gather`"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read: {error}") from None
    try:
        lines = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise UserError(f"{file}: cannot be read: {error}; run `visionlab gather` to write it anew") from None
    if not lines or tuple(lines[0]) != COLUMNS:
        raise UserError(f"{file}: expected the columns {', '.join(COLUMNS)}; run `visionlab gather` to write it anew")
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(COLUMNS):
            raise UserError(
                f"{file}: row {number}: expected {len(COLUMNS)} cells, found {len(line)}; "
                "run `visionlab gather` to write it anew"
            )
    return [Row(*line) for line in lines[1:]]  # type: ignore[arg-type]


def manifest_fingerprint(root: Path) -> str | None:
    """Identify the manifest in `root`, times left aside; None where there is none."""
    if not (root / FILE_NAME).exists():
        return None
    digest = hashlib.blake2b(digest_size=16)
    for row in read_manifest(root):
        values = asdict(row) | {"fetched": ""}
        digest.update(repr(list(values.values())).encode(errors="backslashreplace"))
    return digest.hexdigest()
