"""`visionlab predict RUN FILE…`: what a run's network says of images."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visionlab import project
from visionlab.errors import UserError
from visionlab.prediction.files import STANDARD_INPUT, image_files
from visionlab.tracking.catalog import find_run

if TYPE_CHECKING:
    from tqdm import tqdm

    from visionlab.prediction.explanation import Explanation
    from visionlab.prediction.predictor import Batch, Prediction


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Say what images show, by the network of a run, which sees them as in its test: class and probability.\n"
        "The data set of the run is not needed. Files that cannot be read are named, the others done. The exit code\n"
        "is 2 where a path is not there, a folder has no images, or nothing could be read."
    )
    parser.add_argument("run", metavar="RUN", help="a run id, a unique prefix, last, or best (by validation accuracy)")
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="an image file; a folder, for the images at any depth in it; or - for a list of paths on standard input",
    )
    parser.add_argument("--top", type=_count, default=1, metavar="K", help="the K most probable classes (default 1)")
    parser.add_argument(
        "--explain",
        type=Path,
        metavar="FOLDER",
        help="draw beside each image where a convolutional network looked (Grad-CAM), into sheets in this folder",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="a list of objects, each on a line")
    form.add_argument("--csv", action="store_true", help="comma-separated values with a line of column names")


def run(arguments: argparse.Namespace) -> None:
    find_run(project.runs(), arguments.run).checkpoint()  # before anything heavy is imported
    tally = _Tally()
    files = image_files(arguments.paths, sys.stdin.buffer, tally.complain)
    first = next(files, None)
    if first is None:
        sys.exit(2)  # what is wrong has been said

    from tqdm import tqdm

    from visionlab.prediction import text
    from visionlab.prediction.explanation import Explanation
    from visionlab.prediction.loading import load_predictor

    predictor = load_predictor(arguments.run)
    top = min(arguments.top, len(predictor.spec.classes))
    form = text.as_json if arguments.json else text.as_csv if arguments.csv else text.as_table
    explanation = Explanation(predictor, arguments.explain) if arguments.explain else None
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # file names are bytes
    with tqdm(total=_count_files(arguments.paths), unit="image", leave=False, delay=1, disable=None) as bar:
        batches = predictor.batches(chain([first], files), top)
        for piece in form(_readable(batches, tally, explanation, bar), top):
            tqdm.write(piece, file=sys.stdout, end="")
            sys.stdout.flush()
    if explanation is not None:
        explanation.flush()
        _say(
            f"{explanation.sheets:,} sheet{'s' * (explanation.sheets != 1)} of explained images in {arguments.explain}"
        )
    tally.conclude()


@dataclass
class _Tally:
    """What has become of the paths.

    Attributes:
        predicted: images.
        broken: files.
        complaints: about paths that lead to no file.
    """

    predicted: int = 0
    broken: int = 0
    complaints: int = 0

    def complain(self, line: str) -> None:
        self.complaints += 1
        _say(line)

    def add(self, prediction: Prediction) -> None:
        if prediction.error is None:
            self.predicted += 1
        else:
            self.broken += 1
            _say(f"{prediction.file}: cannot be read ({prediction.error})")

    def conclude(self) -> None:
        """Say how it went, where not all went well.

        Raises:
            UserError: in a way that the exit code should tell of.
        """
        if not self.broken and not self.complaints:
            return
        line = f"{self.predicted:,} of {self.predicted + self.broken:,} images predicted"
        if self.broken:
            line += f"; {self.broken:,} cannot be read"
        if self.complaints:
            line += f"; {self.complaints:,} path{'s' * (self.complaints > 1)} without an image"
        if self.complaints or not self.predicted:
            raise UserError(line)
        _say(line)


def _readable(
    batches: Iterable[Batch], tally: _Tally, explanation: Explanation | None, bar: tqdm[Any]
) -> Iterator[list[Prediction]]:
    """The predictions of the files that could be read; the others are said."""
    for batch in batches:
        if explanation is not None:
            explanation.add(batch)
        for prediction in batch.predictions:
            tally.add(prediction)
        yield [prediction for prediction in batch.predictions if prediction.error is None]
        bar.update(len(batch.predictions))


def _count_files(paths: Sequence[str]) -> int | None:
    """How many files there are to come, where somebody looks at the bar, and standard input does not say it."""
    if not sys.stderr.isatty() or STANDARD_INPUT in paths:
        return None
    return sum(1 for _ in image_files(paths, io.BytesIO(), lambda line: None))


def _say(line: str) -> None:
    from tqdm import tqdm

    tqdm.write(f"visionlab: {line}", file=sys.stderr)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, given {text!r}")
    return int(text)
