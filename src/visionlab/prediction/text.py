"""Predictions as text, piece by piece, so that there may be any number of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from visionlab.prediction.predictor import Prediction


def as_table(parts: Iterable[Sequence[Prediction]], top: int) -> Iterator[str]:
    """Aligned columns. They are as wide as what was written so far needs: a later part may widen them."""
    heading = _headings(top, " ")
    widths = [len(cell) for cell in heading]
    for number, part in enumerate(filter(None, parts)):
        rows = [[_printable(str(one.file)), *_cells(one, "{:.1%}".format)] for one in part]
        widths = [max(width, *map(len, column)) for width, *column in zip(widths, *rows, strict=True)]
        yield "".join(_row(row, widths) for row in ([heading, *rows] if number == 0 else rows))


def as_json(parts: Iterable[Sequence[Prediction]], top: int) -> Iterator[str]:
    """A list of objects, each on a line; where several classes were asked for, with the ranking."""
    before = "[\n"
    for part in filter(None, parts):
        yield before + ",\n".join(_object(one, top) for one in part)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def as_csv(parts: Iterable[Sequence[Prediction]], top: int) -> Iterator[str]:
    """A line with the names of the columns, then a line for each file."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_headings(top, "_"))
    for part in parts:
        writer.writerows([str(one.file), *_cells(one, str)] for one in part)
        yield stream.getvalue()
        stream.seek(0)
        stream.truncate()


def _headings(top: int, space: str) -> list[str]:
    """file, class, probability, class 2, probability 2, …"""
    numbers = ["", *(f"{space}{place}" for place in range(2, top + 1))]
    return ["file", *(f"{name}{number}" for number in numbers for name in ("class", "probability"))]


def _cells(one: Prediction, show: Callable[[float], str]) -> list[str]:
    return [cell for name, share in one.ranking for cell in (name, show(share))]


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    # a probability stands in every second column after the first
    padded = (
        cell.rjust(width) if column and column % 2 == 0 else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(padded).rstrip() + "\n"


def _object(one: Prediction, top: int) -> str:
    content: dict[str, Any] = {"file": str(one.file), "class": one.label, "probability": one.probability}
    if top > 1:
        content["ranking"] = [{"class": name, "probability": share} for name, share in one.ranking]
    return json.dumps(content, ensure_ascii=False, allow_nan=False)


def _printable(text: str) -> str:
    """Without line ends and other characters that would move the rest of the table."""
    return "".join(character if character.isprintable() else "?" for character in text)
