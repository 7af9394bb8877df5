"""The whole of `visionlab gather`: crawl, clean, write the manifest, lay out the files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from visionlab.config.gather import GatherConfig
from visionlab.errors import UserError
from visionlab.gather import decisions
from visionlab.gather.cleaning import TEST, Held, clean, held_out
from visionlab.gather.crawl import crawl, open_ledger
from visionlab.gather.links import Find
from visionlab.gather.manifest import Row, write_manifest
from visionlab.gather.placing import HIDDEN, check_places, place, removed_by_hand
from visionlab.gather.progress import Progress
from visionlab.gather.review.answers import take_over
from visionlab.gather.summary import summary_lines


def gather(config: GatherConfig, root: Path, offline: bool) -> None:
    """Gather the data set in `root`, or go on with it, and print what came of it.

    Killed at any moment and called again it comes to the same end.

    Args:
        offline: fetch nothing, decide anew about what was fetched.

    Raises:
        UserError: another process is at it, a list or folder of the configuration is missing, a file that is not ours
            stands in the way, or the disk fails.
    """
    if offline and not (root / HIDDEN).exists():
        raise UserError(f"{root}: expected what an earlier `visionlab gather` has fetched, found nothing")
    try:
        (root / HIDDEN).mkdir(parents=True, exist_ok=True)
        with _alone(root):
            # what would end it after the crawl had better end it before
            check_places(root)
            take_over(root)
            decisions.read_decisions(root)
            if not offline:
                with Progress(config.classes) as progress:
                    crawl(config, root, progress)
            finds = open_ledger(root).finds(config)
            if not finds:
                raise UserError(
                    f"{root}: no image was found; `visionlab gather --probe` says which source works from here, "
                    "gather.search_robots=ignore asks those whose robots.txt forbids it, and "
                    "gather.classes.CLASS.folder=… takes images that are on this machine"
                )
            _note_what_was_removed(root)
            held = held_out(root)
            rows = _clean(config, root, finds, held)
    except OSError as error:
        raise UserError(f"{error.filename or root}: {error.strerror or error}; the same command goes on") from error
    print(*summary_lines(rows), sep="\n")
    print(f"\nmanifest  {root / 'manifest.csv'}")
    kept = sum(row.decision == "keep" for row in rows)
    print(f"images    {root / 'train'}: {kept:,} to train on")
    _warn_of_tests(root, held)


def _warn_of_tests(root: Path, held: Held) -> None:
    if not held.candidates:
        _warn(
            f"{root / TEST}: there are no test images to compare with: bring them there (of cats and dogs: `visionlab "
            "data kaggle` or `visionlab data petimages`), then `visionlab gather --offline`"
        )
    elif held.unreadable:
        _warn(f"{root / TEST}: {held.unreadable:,} files cannot be read, and were not compared with")


def _warn(text: str) -> None:
    print(f"visionlab: warning: {text}", file=sys.stderr)


def _alone(root: Path) -> FileLock:
    lock = FileLock(root / HIDDEN / "lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise UserError(f"{root}: another `visionlab gather` is at work in it; wait for its end") from None
    return lock


def _note_what_was_removed(root: Path) -> None:
    removed = removed_by_hand(root)
    if removed:
        decisions.add_decisions(root, dict.fromkeys(removed, "drop"))
        print(f"{len(removed):,} images were removed from train/ by hand: noted in {decisions.FILE_NAME}")


def _clean(config: GatherConfig, root: Path, finds: Sequence[Find], held: Held) -> list[Row]:
    wanted = decisions.read_decisions(root)
    rows = clean(root, finds, config.accept, wanted, held)
    by_name = {"/".join(row.file.split("/")[-2:]): row for row in rows if row.file}
    table = root / decisions.FILE_NAME
    for word in decisions.unknown(wanted, by_name):
        _warn(f"{table}: there is no image {word}; passed over")
    for name, row in by_name.items():
        if decisions.decided(name, wanted) == "keep" and row.decision == "drop":
            _warn(f"{table}: {name} cannot be kept: {row.reason} {row.detail}".rstrip())
    place(root, {row.file: row.sha256 for row in rows if row.file})
    write_manifest(root, rows)
    return rows
