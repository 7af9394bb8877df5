"""What the runs of a cross-validation say together, of each image by the network that was not trained on it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from visionlab.tracking import predictions
from visionlab.tracking.run import Run


def join_folds(campaign: Run, runs: Sequence[Run], folds: int) -> list[Path]:
    """Put the validation predictions of all folds together; metrics go into the report, the files are returned.

    Args:
        campaign: in whose folder the pictures are drawn.
        runs: of the folds, finished; their validation sets are disjoint.
        folds: how many there are in all.
    """
    parts = [predictions.load(run, predictions.VALIDATION) for run in runs]
    if not parts:
        return []
    import torch

    from visionlab.figures.confusion import save_confusion
    from visionlab.figures.per_class import save_per_class
    from visionlab.figures.ranking import positive_label
    from visionlab.training.metrics import ClassifierMetrics
    from visionlab.training.results import confusion_columns

    classes = _classes(runs[0])
    config = runs[0].config()
    positive = positive_label(classes, config.data.positive_class)
    probabilities = np.concatenate([part.probabilities for part in parts])  # (N, K)
    labels = np.concatenate([part.labels for part in parts])  # (N,)
    metrics = ClassifierMetrics(torch.nn.NLLLoss(), len(classes), config.task.top_k, positive)
    # the logarithm of a probability is a logit of it
    metrics.update(
        torch.from_numpy(probabilities).clamp_min(1e-38).log(), torch.from_numpy(labels), torch.arange(len(labels))
    )
    scores = metrics.compute()
    campaign.add_to_report(
        out_of_fold={"images": len(labels), "runs": len(parts), "of": folds, "metrics": scores.summary},
        classes=list(classes),
        per_class=scores.per_class,
        confusion=scores.confusion.tolist(),
    )
    campaign.add_table("confusion_matrix", confusion_columns(scores.confusion, tuple(classes)))
    images = [sum(row) for row in scores.confusion.tolist()]
    return [
        *save_confusion(scores.confusion.tolist(), classes, campaign.figures, "validation_confusion_matrix"),
        *save_per_class(scores.per_class, images, classes, campaign.figures),
    ]


def _classes(run: Run) -> list[str]:
    table: dict[str, Any] = json.loads((run.path / "tables" / "validation_confusion_matrix.json").read_text())
    return [row[0] for row in table["data"]]
