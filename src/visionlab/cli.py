"""The `visionlab` command: finds the command's module and turns errors into lines and exit codes.

Exit codes: 0 done, 1 a failure with a traceback, 2 something the user can put right, 130, 143 and 129 stopped by
Ctrl-C, by SIGTERM and by a closed terminal.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from visionlab import __version__
from visionlab.errors import ConfigError, InterruptedRun, UserError
from visionlab.training import launch

COMMANDS = {
    "train": "train, choose by validation, test once, track everything",
    "resume": "go on with a run that was stopped",
    "test": "test a run's chosen weights again",
    "predict": "say what images show: classes and probabilities",
    "tune": "search for good settings, by validation",
    "crossval": "k-fold cross-validation on the training set",
    "repeat": "the same run with several seeds",
    "grid": "every combination of some settings",
    "lab": "a small controlled experiment on a problem of training: question, runs, picture, answer",
    "runs": "list the last runs with their headline metrics",
    "reproduce": "train a run again from its own configuration, and say whether it comes out the same",
    "compare": "set runs side by side: settings, results, and what of the difference is chance",
    "report": "write the page of a run: results, setting, pictures, data, provenance",
    "rm": "remove a run from disk and from MLflow",
    "config": "print the resolved configuration",
    "lr-find": "find a learning rate to start from",
    "register": "make a run's network a version of a registered model, which MLflow serves",
    "sync": "send to MLflow what a run could not",
    "gather": "gather a training set from the web, clean it, and say where each image is from",
    "data": "bring the held-out test set of cats and dogs onto this machine",
    "doctor": "look at the machine, the data sets, the store and the runs; say what to do",
    "schema": "write the JSON schemas that editors complete conf/**/*.yaml with",
}

DISTRIBUTED = ("train", "resume", "reproduce")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    # threads that wait for each other would spin, which beside another busy process makes small networks ten times
    # slower; read when torch is imported
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    parsed = _parse(sys.argv[1:] if arguments is None else list(arguments))
    debugging = any(word.startswith("debug=") and word != "debug=false" for word in getattr(parsed, "overrides", []))
    try:
        launch.silence()
        _check_launch(parsed.command)
        importlib.import_module(_module(parsed.command)).run(parsed)
    except UserError as error:
        if debugging and not isinstance(error, ConfigError):
            raise
        launch.leave_errors_to_rank_0()
        for line in str(error).splitlines():
            print(f"visionlab: {line}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("visionlab: stopped", file=sys.stderr)
        sys.exit(130)
    except InterruptedRun as stopped:
        sys.exit(stopped.exit_code)
    except BrokenPipeError:
        # the reader, such as `head`, has seen enough; nothing more may be written at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _check_launch(command: str) -> None:
    """Refuse what each of several processes would do by itself."""
    started = launch.current()
    if started.world_size > 1 and command in COMMANDS and command not in DISTRIBUTED:
        raise UserError(
            f"{command}: expected one process, as only {', '.join(DISTRIBUTED)} share their work, given "
            f"{started.world_size} by {started.by}"
        )


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="visionlab", description="Image classification research on PyTorch Lightning."
    )
    parser.add_argument("--version", action="version", version=f"visionlab {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    wanted = next((word for word in arguments if not word.startswith("-")), None)
    for command, summary in COMMANDS.items():
        subparser = subparsers.add_parser(
            command, help=summary, description=summary, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if command == wanted:  # the others' arguments are not needed, nor their modules
            importlib.import_module(_module(command)).add_arguments(subparser)
    # argparse takes words behind an option, as in `lab dropout --fresh seed=3`, for too many
    parsed, rest = parser.parse_known_args(arguments)
    if any(word.startswith("-") for word in rest) or (rest and not hasattr(parsed, "overrides")):
        parser.parse_args(arguments)  # says what is wrong
    if rest:
        parsed.overrides = [*parsed.overrides, *rest]
    return parsed


def _module(command: str) -> str:
    return f"visionlab.commands.{command.replace('-', '_')}"
