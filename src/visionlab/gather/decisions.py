"""`decisions.csv`: what a person has decided about single images, which counts more than what was found by itself."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import get_args

from visionlab.errors import UserError
from visionlab.gather.manifest import Decision

FILE_NAME = "decisions.csv"
HEADER = ("file", "decision")


def read_decisions(root: Path) -> dict[str, Decision]:
    """By `class/name` or `name`, with or without suffix, as it was written; nothing where there is no such table.

    Whatever stands before the class counts for nothing: the file may lie elsewhere since.

    Raises:
        UserError: a line is not of the form file,decision.
    """
    file = root / FILE_NAME
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read: {error}") from None
    found: dict[str, Decision] = {}
    for number, cells in enumerate(_lines(file, text), start=1):
        words = [cell.strip() for cell in cells]
        if not any(words) or words[0].startswith("#") or (number == 1 and tuple(words) == HEADER):
            continue
        place = PurePosixPath(words[0].replace("\\", "/"))
        decision = words[1].lower() if len(words) == 2 else None
        if decision not in get_args(Decision) or not place.parts:
            raise UserError(
                f"{file}: line {number}: expected a file as the manifest names it and keep or drop, as in "
                f"cat/0123456789ab.jpg,drop; given {','.join(cells)!r}"
            )
        found["/".join(place.parts[-2:])] = "keep" if decision == "keep" else "drop"
    return found


def _lines(file: Path, text: str) -> list[list[str]]:
    try:
        return list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise UserError(f"{file}: expected lines of file,decision, found no table: {error}") from None


def decided(name: str, decisions: Mapping[str, Decision]) -> Decision | None:
    """What was decided about the file `name`, class/name.suffix."""
    return next((decisions[word] for word in _words(name) if word in decisions), None)


def check_clear(root: Path, decisions: Mapping[str, Decision], names: Iterable[str]) -> None:
    """Make sure that no image is to be kept without saying of which class, where it was found for several.

    Args:
        names: class/name.suffix of all files.

    Raises:
        UserError: there is one.
    """
    classes: dict[str, list[str]] = {}
    for name in names:
        classes.setdefault(PurePosixPath(name).stem, []).append(PurePosixPath(name).parent.name)
    for word, decision in decisions.items():
        found = classes.get(PurePosixPath(word).stem, [])
        if decision == "keep" and "/" not in word and len(found) > 1:
            raise UserError(
                f"{root / FILE_NAME}: {word}: is in {' and '.join(found)}; say which it shows, as in "
                f"{found[0]}/{word},keep"
            )


def unknown(decisions: Iterable[str], names: Iterable[str]) -> list[str]:
    """The decisions that are about none of the files `names`."""
    known = {word for name in names for word in _words(name)}
    return [word for word in decisions if word not in known]


def _words(name: str) -> tuple[str, ...]:
    place = PurePosixPath(name)
    return name, str(place.with_suffix("")), place.name, place.stem


def add_decisions(root: Path, decided: Mapping[str, Decision]) -> None:
    """Note below what stands there what a person has decided about files (class/name); what is noted already, once."""
    known = read_decisions(root)
    new = {name: decision for name, decision in decided.items() if known.get(name) != decision}
    file = root / FILE_NAME
    text = file.read_text(encoding="utf-8") if file.exists() else ",".join(HEADER) + "\n"
    if not text.endswith("\n"):
        text += "\n"
    part = file.with_suffix(".part")
    # what begins with # would be a remark
    lines = (f"{'./' if name.startswith('#') else ''}{name},{decision}\n" for name, decision in new.items())
    part.write_text(text + "".join(lines), encoding="utf-8")
    part.replace(file)
