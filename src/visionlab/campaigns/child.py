"""The process of one run of a campaign.

    python -m visionlab.campaigns.child RUN_FOLDER

Runs on one device are forked from a server that has imported this module, and with it everything that training needs;
on several devices a run is this command, because Lightning starts its further processes from the command line.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from pathlib import Path

# what a run on any data set needs, imported once for all: several seconds
import sklearn.datasets  # noqa: F401
import torchmetrics  # noqa: F401
from tqdm import tqdm

from visionlab.campaigns.launcher import LIFELINE, OUTPUT
from visionlab.errors import InterruptedRun, PrunedRun, UserError
from visionlab.tracking.run import Run
from visionlab.training.engine import train_member


def carry_out(folder: Path) -> int:
    """Train the run in `folder`; the exit code, as `visionlab train` has it."""
    try:
        train_member(Run(folder))
    except PrunedRun:
        print("pruned: its campaign has ended it early", flush=True)
    except InterruptedRun as stopped:
        return stopped.exit_code
    except UserError as error:
        print(f"visionlab: {error}", file=sys.stderr, flush=True)
        return 2
    except Exception:  # noqa: BLE001 - whatever has gone wrong is for the log, and for the campaign
        traceback.print_exc()
        return 1
    return 0


def forked(folder: Path, lifeline: int, environment: dict[str, str]) -> None:
    """What a forked process does: everything, including to end.

    Args:
        lifeline: a file that ends when the campaign's process does, however that happens.
        environment: variables to set.
    """
    os.setsid()  # Ctrl-C in the terminal is for the campaign, which then tells its runs
    end_with(lifeline)
    os.environ |= environment
    tqdm.set_lock(threading.RLock())  # its own is for several processes, and would be left behind by one that is killed
    with (folder / OUTPUT).open("ab", buffering=0) as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    code = carry_out(folder)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # at once: there is nothing to tidy up in a copy


def end_with(lifeline: int) -> None:
    """Kill this process and those it starts when the file `lifeline` ends."""

    def watch() -> None:
        os.read(lifeline, 1)
        os.killpg(os.getpgid(0), signal.SIGKILL)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


if __name__ == "__main__":
    # Lightning starts the further processes with the same variables; they end with the first one
    if LIFELINE in os.environ and "LOCAL_RANK" not in os.environ:
        end_with(int(os.environ[LIFELINE]))
    sys.exit(carry_out(Path(sys.argv[1])))
