"""The whole of `visionlab gather --review`: look at every image that was kept, list those that a person should see."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from visionlab.errors import UserError
from visionlab.gather import decisions
from visionlab.gather.decisions import decided
from visionlab.gather.manifest import Row
from visionlab.gather.placing import HIDDEN, TRAIN
from visionlab.gather.review.answers import FILE_NAME, FOLDER, Question, at_work, take_over, write_questions
from visionlab.gather.review.sheets import save_sheets, sheet_of
from visionlab.gather.review.suspects import LEAST, find_suspects

if TYPE_CHECKING:
    from visionlab.gather.review.embeddings import Embedding

NAMED = 3  # files that cannot be read


def review(root: Path, read: Callable[[], Sequence[Row]]) -> None:
    """List probable mislabels and outliers of the data set in `root`, and say what to do next. Nothing is dropped.

    What a person has decided about is not listed, but the others are compared with it. Killed and called again it goes
    on.

    Args:
        read: gives the rows of the manifest; asked again once no other process changes it.

    Raises:
        UserError: there is too little to compare, an answer to an earlier list is not understood, or the disk fails.
    """
    _kept(root, read)
    from visionlab.gather.review.embeddings import embed_all  # not before: it takes seconds

    try:
        with at_work(root):
            take_over(root)  # what would end it had better end it before
            kept = _kept(root, read)
            outcomes = embed_all([root / row.file for row in kept], root / HIDDEN / "embeddings")
            seen = [(row, one) for row, one in zip(kept, outcomes, strict=True) if not isinstance(one, str)]
            _tell_unread(root, {row.file: one for row, one in zip(kept, outcomes, strict=True) if isinstance(one, str)})
            _check_classes(root, [row for row, _ in seen], "readable images")
            take_over(root)  # what was written into the table meanwhile
            questions = _questions(root, seen)
            write_questions(root, questions)
            save_sheets(root, questions)
    except OSError as error:
        raise UserError(f"{error.filename or root}: {error.strerror or error}; the same command goes on") from error
    _tell(root, len(seen), questions)


def _kept(root: Path, read: Callable[[], Sequence[Row]]) -> list[Row]:
    kept = [row for row in read() if row.decision == "keep"]
    _check_classes(root, kept, "images")
    return kept


def _check_classes(root: Path, rows: Sequence[Row], what: str) -> None:
    counts = Counter(row.label for row in rows)
    if len(counts) < 2:
        found = f"only {next(iter(counts))}" if counts else "none"
        raise UserError(f"{root}: expected {what} of two classes or more in {TRAIN}/, found {found}; gather more")
    label, count = min(counts.items(), key=lambda pair: pair[1])
    if count < LEAST:
        raise UserError(
            f"{root}: expected at least {LEAST} {what} of each class, to be compared with each other, found "
            f"{count} of {label}; gather more"
        )


def _tell_unread(root: Path, reasons: dict[str, str]) -> None:
    gone = [file for file in reasons if not (root / file).exists()]
    broken = [f"{file} ({reason})" for file, reason in reasons.items() if file not in set(gone)]
    if gone:
        _warn(
            f"{root}: {len(gone):,} images of the manifest are not there any more: {_some(gone)}; the next "
            "`visionlab gather` notes them as dropped"
        )
    if broken:
        _warn(f"{root}: {len(broken):,} images cannot be read, and are passed over: {_some(broken)}")


def _some(names: Sequence[str]) -> str:
    more = [f"and {len(names) - NAMED:,} more"] if len(names) > NAMED else []
    return ", ".join([*names[:NAMED], *more])


def _warn(text: str) -> None:
    print(f"visionlab: warning: {text}", file=sys.stderr)


def _questions(root: Path, seen: Sequence[tuple[Row, Embedding]]) -> list[Question]:
    classes = sorted({row.label for row, _ in seen})
    labels = np.array([classes.index(row.label) for row, _ in seen])
    known = decisions.read_decisions(root)
    ranks: Counter[str] = Counter()
    questions = []
    for suspect in find_suspects(np.stack([embedding for _, embedding in seen]), labels):
        row = seen[suspect.index][0]
        if decided("/".join(row.file.split("/")[-2:]), known) is not None:
            continue
        sheet = sheet_of(suspect.kind, ranks[suspect.kind])
        ranks[suspect.kind] += 1
        suggestion = "" if suspect.suggestion is None else classes[suspect.suggestion]
        score = f"{suspect.score:.3f}"
        questions.append(
            Question(row.file, "", suspect.kind, row.label, suggestion, score, sheet, row.page_url, row.image_url)
        )
    return questions


def _tell(root: Path, images: int, questions: Sequence[Question]) -> None:
    counts = Counter(question.kind for question in questions)
    found = f"probable mislabels: {counts['mislabel']:,}, outliers: {counts['outlier']:,}"
    print(f"{images:,} images looked at, none dropped; {found}")
    if not questions:
        return
    print(f"pictures  {root / FOLDER}: {', '.join(dict.fromkeys(q.sheet for q in questions if q.sheet))}")
    print(f"table     {root / FOLDER / FILE_NAME}")
    print(
        "Write drop or keep into the column decision of the table and save it; `visionlab gather --offline` with the "
        "same words then\ndoes so, and what was kept is not listed again. Lines left empty change nothing."
    )
