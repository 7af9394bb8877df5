"""`visionlab reproduce RUN`: train a run again from its own configuration, and say whether it comes out the same."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from visionlab import project
from visionlab.errors import InterruptedRun, UserError
from visionlab.reproduction.facts import Facts, Kind, Row, compare, recorded
from visionlab.reproduction.original import Original, find_original
from visionlab.tracking.catalog import REPRODUCES, all_runs, find_run
from visionlab.tracking.run import Run, write_atomically
from visionlab.training import launch

if TYPE_CHECKING:
    from visionlab.config.train import TrainConfig
    from visionlab.reproduction.outcome import Outcome

FILE_NAME = "reproduction.json"
# the further processes of a distributed run begin with this command, too, when `last` is already the new run
ORIGINAL = "VISIONLAB_ORIGINAL"
DIFFERENT = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Compare code, libraries, machine and data with what a run has recorded, name what differs, train it again\n"
        "from its own configuration, and compare metric by metric: equal (to the last bit), within tolerance, or\n"
        "different. Tolerated are values in the original's 95 % interval for its number of images, where code,\n"
        "libraries or the machine differ, and none where they do not.\n"
        "Exit code 0: all equal or within tolerance; 1: something is different."
    )
    parser.add_argument("run", metavar="RUN", help="a run id, a unique prefix, last, or best")
    parser.add_argument(
        "--check", action="store_true", help="train nothing, only say what differs; exit code 0 if nothing does, else 1"
    )
    parser.add_argument(
        "--anyway",
        action="store_true",
        help="train also where the images, or the weights that it began with, are not the run's any more",
    )
    parser.add_argument(
        "--against",
        metavar="OTHER",
        help="train nothing, compare with this run, such as one that was stopped and resumed",
    )
    parser.add_argument("--json", action="store_true", help="one object; what training prints goes to the error output")


def run(arguments: argparse.Namespace) -> None:
    original = find_original(project.runs(), os.environ.get(ORIGINAL, arguments.run))
    with contextlib.redirect_stdout(sys.stderr) if arguments.json else contextlib.nullcontext():
        content, is_good = _carry_out(original, arguments)
    if content is None:
        return
    if arguments.json:
        print(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False))
    if not is_good:
        sys.exit(DIFFERENT)


def _carry_out(original: Original, arguments: argparse.Namespace) -> tuple[dict[str, Any] | None, bool]:
    """What there is to say, None in further processes of a distributed run, and whether it is good."""
    from visionlab.reproduction import text

    _say(text.introduction(original))
    if arguments.against is not None:
        found = _against(original, arguments.against)
        _say(text.circumstances(found.rows))
    else:
        from visionlab.reproduction.here import config_here, look, use_threads_of

        config = config_here(original)
        use_threads_of(original)
        rows = _rows(original, look(original, config))
        _say(text.circumstances(rows))
        if arguments.check:
            return text.as_object(original, rows), all(row.is_same for row in rows if row.kind is not Kind.NOTE)
        if not arguments.anyway:
            _check_content(original, rows)
        made = _train(original, config)
        if made is None:
            return None, True
        found = _compare(original, made)
    _say(text.outcome(found))
    content = text.as_object(original, found.rows, found)
    write_atomically(found.reproduction.path / FILE_NAME, json.dumps(content, indent=1, ensure_ascii=False))
    return content, found.is_good


def _train(original: Original, config: TrainConfig) -> Run | None:
    """The trained run, None in further processes of a distributed run."""
    from visionlab.training.engine import train

    os.environ[ORIGINAL] = original.run.id
    try:
        return train(config, reproduces=original.run)
    except InterruptedRun:
        ours = [one.id for one in all_runs(project.runs()) if one.start()["tags"].get(REPRODUCES) == original.run.id]
        if ours:  # it may not even have begun
            _say([f"{'compare':<9} `visionlab reproduce {original.run.id} --against {ours[-1]}`, when it has finished"])
        raise
    finally:
        del os.environ[ORIGINAL]


def _against(original: Original, name: str) -> Outcome:
    other = find_run(project.runs(), name)
    if other == original.run:
        raise UserError(f"--against {name}: expected another run than the original {other.id}")
    if other.status() != "FINISHED":
        raise UserError(f"--against {name}: expected a run that has finished, {other.id} is {other.status()}")
    return _compare(original, other)


def _rows(original: Original, now: Facts) -> list[Row]:
    return compare(recorded(original.run), now, original.edited, original.begins_with_given_weights)


def _check_content(original: Original, rows: Sequence[Row]) -> None:
    """Refuse to train on other images, or from other weights that were given: results could not be compared."""
    content = [row for row in rows if row.kind is Kind.CONTENT and row.name not in original.edited]
    differing = [row.name for row in content if row.differs]
    if differing:
        raise UserError(
            f"{original.run.id}: expected the images and weights that it began with, "
            f"found other {' and '.join(differing)}, which is another experiment; "
            "bring them back, or train all the same with --anyway"
        )


def _compare(original: Original, made: Run) -> Outcome:
    from visionlab.reproduction.outcome import Outcome, compare_courses, compare_images, compare_metrics, excuses
    from visionlab.reproduction.weights import compare_weights

    rows = _rows(original, recorded(made))
    reasons = excuses(original, rows)
    points, parting = compare_courses(original.run, made)
    return Outcome(
        original.run,
        made,
        rows,
        reasons,
        compare_metrics(original.run, made, original.config.data.positive_class, bool(reasons)),
        compare_weights(original.run, made),
        points,
        parting,
        compare_images(original.run, made),
    )


def _say(lines: Iterable[str]) -> None:
    """Print, but for the further processes of a distributed run."""
    if launch.current().rank == 0:
        for line in lines:
            print(line, flush=True)
