"""`visionlab test RUN`: the chosen weights of a run on the test split, once more."""

from __future__ import annotations

import argparse

from visionlab import project
from visionlab.tracking.catalog import find_run, refuse_untested


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run id, a unique prefix, last, or best (by validation accuracy)")


def run(arguments: argparse.Namespace) -> None:
    refuse_untested(
        find_run(project.runs(), arguments.run),
        "is judged by validation alone: testing many to choose one would make the test set a validation set; "
        "`visionlab train campaign_best=…` trains the best and tests it",
    )
    from visionlab.training import console
    from visionlab.training.fitting import evaluate
    from visionlab.training.loading import load_run

    loaded = load_run(arguments.run)
    evaluate(loaded.config, loaded.module, loaded.data, [])
    scores = loaded.module.scores
    assert scores is not None
    print(f"{loaded.id}, {loaded.data.sizes['test']:,} test images")
    if loaded.data.positive is not None:
        print(f"rates are those of the positive class, {loaded.data.classes[loaded.data.positive]}")
    console.results({"test": scores.summary, "classes": loaded.data.classes})
