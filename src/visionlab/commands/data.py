"""`visionlab data [kaggle|petimages]`: bring the held-out test set of cats and dogs onto this machine."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from visionlab import project
from visionlab.comparison.table import aligned

if TYPE_CHECKING:
    from visionlab.data.held_out.record import Record
    from visionlab.data.held_out.test_set import Obtain

NAMES = {
    "kaggle": "train.zip of Kaggle's competition dogs-vs-cats: 25,000 images; asks for an account there",
    "petimages": "the same kind of images as Microsoft publishes them: 25,000, 825 MB; needs no account",
}
SHOWN = 10  # images that were left out, by name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Bring images of cats and dogs that others have labelled onto this machine, to test with and never to train\n"
        "with. Without a name: list what there is to have, and what is there."
    )
    names = parser.add_subparsers(dest="name", metavar="NAME")
    for name, summary in NAMES.items():
        one = names.add_parser(name, help=summary, description=summary)
        place = one.add_mutually_exclusive_group()
        place.add_argument(
            "--from",
            dest="path",
            metavar="PATH",
            type=Path,
            help="a zip file or folder on this machine, with cat.N.jpg and dog.N.jpg or with folders cat/ and dog/, "
            "whichever NAME is given",
        )
        if name == "petimages":
            place.add_argument("--url", help="another address of the same file")
        one.add_argument("--into", metavar="FOLDER", type=Path, help="default: catdog/test in VISIONLAB_DATA")


def run(arguments: argparse.Namespace) -> None:
    if arguments.name is None:
        _list()
        return
    from visionlab.data.held_out.test_set import make

    into = arguments.into or _default()
    made, new = make(into, *_source(arguments))
    print(f"{into}: {'made' if new else 'is there already, made'} from {_origin(made)}")
    for line in aligned([[f"  {label}", f"{number:,}"] for label, number in made.images.items()], (1,)):
        print(line)
    if made.left_out:
        print(f"left out: {len(made.left_out):,}")
        for line in aligned([[f"  {path}", reason] for path, reason in list(made.left_out.items())[:SHOWN]], ()):
            print(line)
        if len(made.left_out) > SHOWN:
            print(f"  and {len(made.left_out) - SHOWN:,} more: {into / '.source.json'}")


def _source(arguments: argparse.Namespace) -> tuple[str, Obtain]:
    """What the set is called, and how to get it."""
    if arguments.path is not None:
        path = arguments.path.expanduser().absolute()
        return str(path), lambda _: path
    if arguments.name == "kaggle":
        from visionlab.data.held_out import kaggle

        return "kaggle", lambda _: kaggle.download()
    from visionlab.data.held_out import petimages

    return "petimages", partial(petimages.download, arguments.url or petimages.URL)


def _list() -> None:
    from visionlab.data.held_out import record
    from visionlab.data.held_out.test_set import count

    for line in aligned([[name, summary] for name, summary in NAMES.items()], ()):
        print(line)
    there, images = record.read(_default()), count(_default())
    found = ", ".join(f"{number:,} {label}s" for label, number in images.items()) if any(images.values()) else "nothing"
    print(f"{_default()}: {found}{f', made from {_origin(there)}' if there else ''}")


def _origin(there: Record) -> str:
    return f"{there.source} on {there.time[:10]}"


def _default() -> Path:
    return project.data() / "catdog" / "test"
