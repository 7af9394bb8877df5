"""`visionlab doctor`: a line for each thing that a run depends on, with a tick or with what to do."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from functools import partial

from visionlab import project
from visionlab.doctor.finding import Finding, Level, failure

Check = tuple[str, Callable[[], Finding]]
WIDTH = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Look at packages, devices, folders, data sets, the MLflow store and the runs. Changes nothing.\n"
        "✓ is well, ! is worth knowing, ✗ has to be mended: then the exit code is 1."
    )


def run(arguments: argparse.Namespace) -> None:
    failed = False
    for name, check in _checks():
        if sys.stdout.isatty():
            print(f"… {name}", end="\r", flush=True)
        finding = _carry_out(check)
        failed |= finding.level is Level.FAILURE
        print(f"{finding.level.value} {name:<{WIDTH}} {finding.text}")
        if finding.advice:
            print(f"  {'':<{WIDTH}} -> {finding.advice}", flush=True)
    if failed:
        sys.exit(1)


def _checks() -> Iterator[Check]:
    """The checks in their order; what one needs is imported when its turn comes."""
    from visionlab.doctor import datasets, folders, runs, software

    yield "packages", software.check_packages
    yield "devices", _check_devices
    yield "bf16", _check_bf16
    yield "runs/", folders.check_runs
    yield "mlruns/", folders.check_mlruns
    yield "data/", folders.check_data
    yield "CIFAR-10", datasets.check_cifar10
    yield "image folders", datasets.check_folders
    yield "runs", runs.check_folders
    yield "processes", runs.check_abandoned
    yield "journals", runs.check_shipping
    yield from _store_checks()


def _store_checks() -> Iterator[Check]:
    from visionlab.comparison.summary import summaries
    from visionlab.doctor import store

    yield "MLflow", store.check_local
    for uri in store.servers(summaries(project.runs())[0]):
        yield "MLflow", partial(store.check_server, uri)


def _check_devices() -> Finding:
    from visionlab.doctor.devices import check_devices

    return check_devices()


def _check_bf16() -> Finding:
    from visionlab.doctor.devices import check_bf16

    return check_bf16()


def _carry_out(check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - one broken part is no reason to say nothing of the others
        return failure(f"could not be looked at ({type(error).__name__}: {error})", "see whether the others say why")
