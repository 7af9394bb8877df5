"""`visionlab reproduce RUN`: train a run again from its own configuration, and say whether it comes out the same."""

from __future__ import annotations

import argparse
import contextlib
import json
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
    if launch.current().rank:
        # `last` may be the new run by now: the first process alone looks, and says what is to be trained, if anything
        if not arguments.check and arguments.against is None:
            from visionlab.training.engine import join

            join()
        return
    original = find_original(project.runs(), arguments.run)
    with contextlib.redirect_stdout(sys.stderr) if arguments.json else contextlib.nullcontext():
        content, is_good = _carry_out(original, arguments)
    if arguments.json:
        print(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False))
    if not is_good:
        sys.exit(DIFFERENT)


def _carry_out(original: Original, arguments: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    """What there is to say, and whether it is good."""
    from visionlab.reproduction import text

    _say(text.introduction(original))
    if arguments.against is not None:
        found = _against(original, arguments.against)
        _say(text.circumstances(found.rows))
    else:
        from visionlab.reproduction.here import config_here

        config = config_here(original)
        if arguments.check:
            rows = _look(original, config)
            return text.as_object(original, rows), all(row.is_same for row in rows if row.kind is not Kind.NOTE)
        found = _compare(original, _train(original, config, arguments.anyway))
    _say(text.outcome(found))
    content = text.as_object(original, found.rows, found)
    write_atomically(found.reproduction.path / FILE_NAME, json.dumps(content, indent=1, ensure_ascii=False))
    return content, found.is_good


def _look(original: Original, config: TrainConfig) -> list[Row]:
    """Say what is the same here and what differs."""
    from visionlab.reproduction import text
    from visionlab.reproduction.here import look

    rows = _rows(original, look(original, config))
    _say(text.circumstances(rows))
    return rows


def _train(original: Original, config: TrainConfig, anyway: bool) -> Run:
    """Train, after a look at what differs.

    Args:
        anyway: also where that makes it another experiment.
    """
    from visionlab.training.engine import train

    def prepare(config: TrainConfig) -> TrainConfig:
        rows = _look(original, config)
        if not anyway:
            _check_content(original, rows)
        return config

    try:
        made = train(config, original.run, prepare)
        assert made is not None
        return made
    except InterruptedRun:
        ours = [one.id for one in all_runs(project.runs()) if one.start()["tags"].get(REPRODUCES) == original.run.id]
        if ours:  # it may not even have begun
            _say([f"{'compare':<9} `visionlab reproduce {original.run.id} --against {ours[-1]}`, when it has finished"])
        raise


def _against(original: Original, name: str) -> Outcome:
    other = find_run(project.runs(), name)
    if other == original.run:
        raise UserError(f"--against {name}: expected another run than the original {other.id}")
    if other.status() != "FINISHED":
        raise UserError(f"--against {name}: expected a run that has finished, {other.id} is {other.status()}")
    return _compare(original, other)


def _rows(original: Original, now: Facts) -> list[Row]:
    given_weights = original.begins_with_given_weights
    return compare(recorded(original.run), now, original.edited, given_weights, original.lacking)


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
    for line in lines:
        print(line, flush=True)
