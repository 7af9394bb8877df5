"""Predictions and tested runs as training leaves them, made without training."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from visionlab import project
from visionlab.config.load import load_train_config
from visionlab.config.resolved import flatten
from visionlab.tracking import predictions
from visionlab.tracking.run import Run

ODD_NAMES = ("a,b", 'say "meow"', "<script>alert(1)</script>", "猫 ñ", "$5 _{x}^", "x" * 200, "two\nlines", "\\frac")


def make_predictions(classes: int, images: int, strength: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (N, K) float32 and labels (N,): the greater `strength`, the more often they agree."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, images)
    scores = generator.normal(size=(images, classes))
    scores[np.arange(images), labels] += strength
    odds = np.exp(scores)
    return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32), labels


def count(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The confusion matrix (K, K)."""
    counts = np.zeros((probabilities.shape[1],) * 2, dtype=int)
    np.add.at(counts, (labels, probabilities.argmax(axis=1)), 1)
    return counts


def rates(counts: np.ndarray) -> dict[str, list[float | None]]:
    """Precision, recall and F1 of each class, and an area that is not defined."""
    right, said, true = counts.diagonal(), counts.sum(axis=0), counts.sum(axis=1)
    found = {
        "precision": right / np.maximum(said, 1),
        "recall": right / np.maximum(true, 1),
        "f1": 2 * right / np.maximum(said + true, 1),
    }
    return {name: values.tolist() for name, values in found.items()} | {"roc_auc": [None] * len(counts)}


def make_run(
    *overrides: str,
    classes: Sequence[str] = ("cat", "dog", "eel"),
    tested: bool = True,
    epochs: int = 3,
    status: str | None = "FINISHED",
    images: int = 60,
    strength: float = 2.0,
) -> Run:
    """A run folder: its journal, and where it was tested its report, predictions and tables."""
    config = load_train_config(["experiment=digits", *overrides])
    run = Run.create(project.runs(), config)
    writer = run.journal()
    params = flatten(config.model_dump(mode="json")) | {"model.parameters": 12345}
    tags = {
        "git.commit": "c0ffee",
        "git.dirty": "true",
        "host": "lab-7",
        "data.fingerprint": "f1f1",
        "data.broken": "2",
    }
    writer.append("start", run=run.id, params=params, tags=tags)
    for split in ("training", "validation", "test"):
        writer.append(
            "dataset", context=split, name=f"digits-{split}", digest="f1f1", images=10 * len(classes),
            classes=dict.fromkeys(classes, 10),
        )  # fmt: skip
    for epoch in range(1, epochs + 1):
        for step in (20 * epoch - 10, 20 * epoch):
            writer.metrics(step, {"train/loss": 2 / step, "train/accuracy": 1 - 5 / step, "lr": 0.1})
        writer.metrics(20 * epoch, {"images_per_second": 100.0})
        writer.metrics(20 * epoch, {"val/loss": 0.5, "val/accuracy": 0.5 + 0.1 * min(epoch, 2), "epoch": epoch})
    if tested:
        probabilities, labels = make_predictions(len(classes), images, strength)
        confusion = count(probabilities, labels)
        predictions.save(run, probabilities, labels)
        accuracy = confusion.trace() / images
        run.add_to_report(
            test={"accuracy": accuracy, "roc_auc": None, "loss": 0.25},
            classes=list(classes),
            per_class=rates(confusion),
            confusion=confusion.tolist(),
            training_seconds=75.0,
            validation={"accuracy": 0.7, "loss": 0.5},
        )
    if status is not None:
        tags = {"error.class": "ValueError", "error.message": "<b>no</b>"} if status == "FAILED" else {}
        writer.append("status", status=status, tags=tags)
    writer.close()
    return run


def read_table(file: Path) -> list[list[str]]:
    """The rows of a CSV file, headings first."""
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


def read_title(picture: Path) -> str:
    """What a picture says, with plain spaces, after a look at whether it is one of readable size with ink on it."""
    with Image.open(picture) as image:
        image.load()
        assert image.format == "PNG"
        assert min(image.size) >= 100
        assert max(image.size) <= 4000
        assert np.asarray(image.convert("L")).std() > 3
        return str(image.info["Title"]).replace("\N{NO-BREAK SPACE}", " ")
