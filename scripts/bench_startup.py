"""How long `visionlab train` takes to its first training step, against importing its heaviest libraries.

    python scripts/bench_startup.py
    python scripts/bench_startup.py --pairs 15 --experiment digits

Both are fresh processes, one after the other, in alternating order. The time of the imports ends when the last of them
is done, that of the training when the journal has the loss of the first step. Nothing in the training process is
changed for it: `trainer.log_every=1` makes it record every step. Tracking is on. A first pair, which may have to read
the libraries from the disk, is not counted.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from bench_lib import median_ratio, positive, print_table, spread

from visionlab.tracking import journal
from visionlab.tracking.provenance import cpu_name

WANTED = 1.15
IMPORTS = "import torch, lightning.pytorch, torchmetrics, time; print(time.time())"
POLL_SECONDS = 0.02


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=positive, default=9, help="how many are measured (default 9)")
    parser.add_argument("--experiment", default="cifar10_cnn", help="of conf/experiment/ (default cifar10_cnn)")
    arguments = parser.parse_args()

    print(f"{cpu_name()}; torch {version('torch')}, lightning {version('lightning')}", flush=True)
    imports, training = [], []
    for pair in range(arguments.pairs + 1):
        if pair % 2:
            imported, trained = time_imports(), time_first_step(arguments.experiment)
        else:
            trained, imported = time_first_step(arguments.experiment), time_imports()
        label = f"pair {pair} of {arguments.pairs}" if pair else "not counted"
        print(f"{label}: imports {imported:.2f} s, first step {trained:.2f} s", flush=True)
        if pair:
            imports.append(imported)
            training.append(trained)

    print()
    rows = [("imports alone", *spread(imports, 2)), ("to the first step", *spread(training, 2))]
    print_table(["seconds", "median", "range"], rows)
    print(f"\nfirst step / imports  {median_ratio(training, imports)}, wanted: at most {WANTED}")


def time_imports() -> float:
    """Seconds from the start of a process until it has imported torch, Lightning and torchmetrics."""
    started = time.time()
    done = subprocess.run([sys.executable, "-c", IMPORTS], stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout) - started


def time_first_step(experiment: str) -> float:
    """Seconds from the start of a training process to the end of its first step."""
    command = [sys.executable, "-m", "visionlab", "train", f"experiment={experiment}", "trainer.log_every=1"]
    with tempfile.TemporaryDirectory() as home, (Path(home) / "output").open("w+") as output:
        environment = os.environ | {"VISIONLAB_HOME": home}
        started = time.time()
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            while (ended := _end_of_first_step(Path(home))) is None:
                if process.poll() is not None:
                    output.seek(0)
                    sys.exit(f"{' '.join(command)} ended before its first step:\n{output.read()}")
                time.sleep(POLL_SECONDS)
        finally:
            # it waits for its shipping process, which would slow the next measurement
            process.terminate()
            process.wait()
    return ended - started


def _end_of_first_step(home: Path) -> float | None:
    """When the only run in `home` recorded its first step, in seconds since 1970; None if it has not yet."""
    for file in home.glob(f"runs/*/{journal.FILE_NAME}"):
        for record in journal.read(file)[0]:
            if record["kind"] == "metrics":
                return float(record["time"]) / 1000
    return None


if __name__ == "__main__":
    main()
