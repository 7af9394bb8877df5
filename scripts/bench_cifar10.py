"""Time to accuracy: this template, a bare PyTorch loop of the same recipe, the usual template, and any script.

    VISIONLAB_DATA=data python scripts/bench_cifar10.py --runs 20
    python scripts/bench_cifar10.py --experiment cifar10_96 --reference airbench96.py --runs 5
    python scripts/bench_cifar10.py --experiment cifar10_cnn --arms ours bare --runs 3
    python scripts/bench_cifar10.py --experiment cifar10_cnn --arms ours --variants "trainer.max_epochs=5 optimizer=sgd"

ours       the command `visionlab train experiment=…` as anybody runs it, with journal and MLflow; seconds are those
           that the run reports: from its first step to its last, behind the warm-up of a compiled network
bare       a loop over the same loader, network, optimizer, schedule, precision and evaluation, without Lightning and
           tracking
template   ResNet-18 as most templates train it (experiment=cifar10_resnet18): torchvision, PIL transforms, DataLoader
           with two workers, Lightning
reference  another script, unmodified, as a process of its own; seconds and accuracy are the last ones that it prints,
           as --reference-seconds and --reference-accuracy find them
variants   ours with other settings, each in quotes: what they bring and cost, in seconds and in accuracy

Seconds leave out set-up, compilation and evaluation, and contain the whitening of the first layer, where there is one:
so do the record scripts. `wall` is all that the process took. Each round has every arm once, in an order that changes,
with the seed of the round; ratios are taken within rounds.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
from bench_lib import median_ratio, positive, print_table
from cifar10_arms import Result, bare, device_name, template, whitening_seconds

from visionlab import project
from visionlab.config.load import load_train_config
from visionlab.errors import ConfigError

ARMS = ("ours", "bare", "template", "reference")
SECONDS, ACCURACY = r"([\d.]+) ?s(?:econds)?\b", r"(?:acc|accuracy)\D*([\d.]+)"
WANTED = 1.1  # times the bare loop's, at most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=positive, default=20, help="of each arm (default 20)")
    parser.add_argument("--experiment", default="cifar10_94", help="of conf/experiment/ (default cifar10_94)")
    parser.add_argument("--arms", nargs="+", choices=ARMS[:3], default=["ours", "bare"])
    parser.add_argument("--reference", type=Path, metavar="FILE", help="a script that trains and prints")
    parser.add_argument("--reference-seconds", default=SECONDS, metavar="REGEX", help="of its output; one group")
    parser.add_argument("--reference-accuracy", default=ACCURACY, metavar="REGEX", help="the same; share or percent")
    parser.add_argument("--variants", nargs="+", default=[], metavar="SETTINGS", help="of ours, further arms")
    parser.add_argument(
        "--settings", type=str.split, default=[], help="of ours, its variants and bare, in quotes: data.fraction=0.1"
    )
    arguments = parser.parse_args()
    if arguments.reference is not None and not arguments.reference.is_file():
        parser.error(f"--reference: expected a script, found no file {arguments.reference}")

    arms = [*arguments.arms, *(["reference"] if arguments.reference else []), *arguments.variants]
    if len(set(arms)) < len(arms):
        parser.error(f"expected each arm once, given {', '.join(arms)}")
    words = [f"experiment={arguments.experiment}", *arguments.settings]
    settings = {arm: [*words, *(arm.split() if arm in arguments.variants else [])] for arm in arms}
    for arm in settings.values():
        try:
            load_train_config(arm)
        except ConfigError as error:
            parser.error(str(error))
    with tempfile.TemporaryDirectory() as home:
        os.environ["VISIONLAB_DATA"] = str(project.data())
        os.environ["VISIONLAB_HOME"] = home
        results = measure(arguments, settings)
    say(results, arms)


def measure(arguments: argparse.Namespace, settings: dict[str, list[str]]) -> dict[str, list[Result]]:
    """The results of each arm, one a round.

    Args:
        settings: the words of each arm.
    """
    arms = [*settings]
    results: dict[str, list[Result]] = {arm: [] for arm in arms}
    # children of a process that has imported everything and done nothing
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
        whitening = {
            arm: pool.submit(whitening_seconds, words).result()
            for arm, words in settings.items()
            if arm == "ours" or arm not in ARMS
        }
        print(f"{pool.submit(device_name, settings[arms[0]]).result()}; torch {version('torch')}", flush=True)
        print("\n".join(f"whitening of {arm}: {seconds:.3f} s" for arm, seconds in whitening.items()), flush=True)
        for number in range(arguments.runs):
            for arm in np.roll(arms, number).tolist():
                seeded = [*settings[arm], f"seed={number}"]
                if arm == "reference":
                    found = reference(arguments)
                elif arm in ("bare", "template"):
                    began = time.perf_counter()
                    found = pool.submit(bare if arm == "bare" else template, seeded).result()
                    found = found._replace(wall=time.perf_counter() - began)
                else:
                    found = ours(seeded)
                    found = found._replace(seconds=found.seconds + whitening[arm])
                results[arm].append(found)
            said = ", ".join(f"{arm} {_said(results[arm][-1])}" for arm in arms)
            print(f"round {number + 1}: {said}", flush=True)
    return results


def ours(words: list[str]) -> Result:
    """The command, as a process; what its run reports."""
    before = set(project.runs().glob("*"))
    wall = _run([sys.executable, "-m", "visionlab", "train", *words, "tracking.figures=false"])[1]
    (run,) = set(project.runs().glob("*")) - before
    report = json.loads((run / "report.json").read_text())
    return Result(report["test"]["accuracy"], report["training_seconds"], wall)


def reference(arguments: argparse.Namespace) -> Result:
    """Another script, as a process; what it prints last."""
    printed, wall = _run([sys.executable, str(arguments.reference)])
    seconds = re.findall(arguments.reference_seconds, printed)
    accuracies = re.findall(arguments.reference_accuracy, printed)
    if not seconds or not accuracies:
        missing = "--reference-accuracy" if seconds else "--reference-seconds"
        sys.exit(
            f"{arguments.reference}: nothing that it prints is found by {missing}; its last words:\n{printed[-500:]}"
        )
    accuracy = float(accuracies[-1])
    return Result(accuracy / 100 if accuracy > 1 else accuracy, float(seconds[-1]), wall)


def say(results: dict[str, list[Result]], arms: list[str]) -> None:
    """Print the table, ratios to the bare loop, and those of variants to ours."""
    rows = []
    for arm in arms:
        accuracies = [100 * one.accuracy for one in results[arm]]
        seconds, walls = [one.seconds for one in results[arm]], [one.wall for one in results[arm]]
        rows.append((arm, str(len(seconds)), _mean(accuracies, 2), _mean(seconds, 2), _mean(walls, 1)))
    print()
    print_table(["mean ± std", "runs", "accuracy, %", "seconds", "wall, s"], rows)
    for arm in arms:
        other = "bare" if arm in ARMS else "ours"
        if other in arms and arm != other:
            wanted = f", wanted: at most {WANTED}" if arm == "ours" else ""
            above, below = ([one.seconds for one in results[name]] for name in (arm, other))
            print(f"{arm} / {other}, seconds  {median_ratio(above, below)}{wanted}")


def _run(command: list[str]) -> tuple[str, float]:
    """What a process prints, and how long it takes; it has to end well."""
    began = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}; its last words:\n{done.stdout[-2000:]}")
    return done.stdout, time.perf_counter() - began


def _said(result: Result) -> str:
    return f"{100 * result.accuracy:.2f} % in {result.seconds:.2f} s"


def _mean(values: list[float], digits: int) -> str:
    return f"{fmean(values):.{digits}f}" + (f" ± {stdev(values):.{digits}f}" if len(values) > 1 else "")


if __name__ == "__main__":
    main()
