"""The part `sizes` of bench_transfer.py: accuracy by the number of training images, from scratch and by transfer."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench_lib import print_table
from transfer_runs import train

from visionlab.figures.files import drawing
from visionlab.figures.style import BLUE, VERMILION, percent

FULL = 50_000  # training images of CIFAR-10
COLOURS = {"from scratch": BLUE, "linear probe": VERMILION}
# share of the images -> what makes a run on them as long as it has to be: of fewer images more epochs, smaller batches
SCRATCH = {
    0.01: ["data.batch_size=100", "trainer.max_epochs=60"],
    0.05: ["data.batch_size=250", "trainer.max_epochs=30"],
    0.2: ["trainer.max_epochs=15"],
    1.0: [],
}
PROBE = {
    0.01: ["data.batch_size=50", "trainer.max_epochs=40"],
    0.05: ["data.batch_size=100", "trainer.max_epochs=40"],
    0.2: ["data.batch_size=250"],
    1.0: [],
}


def measure_sizes(pictures: Path | None) -> None:
    """Train both on 1, 5, 20 and 100 per cent, test them all on the same images, and draw accuracy against size."""
    found: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        for method, experiment, settings in (
            ("from scratch", "cifar10_cnn", SCRATCH),
            ("linear probe", "cifar10_transfer", PROBE),
        ):
            found[method] = [
                (share, train(_words(experiment, share, words), Path(name) / f"{experiment} {share}").test)
                for share, words in settings.items()
            ]
    print("\nCIFAR-10, test accuracy by share of the training images, of which a twentieth is for validation")
    rows = [(method, *(percent(accuracy, 2) for _, accuracy in points)) for method, points in found.items()]
    print_table(["", *(percent(share, 0) for share in SCRATCH)], rows)
    if pictures is not None:
        picture = pictures / "cifar10_sizes.png"
        _draw(found, picture)
        print(f"drawn in {picture}")


def _words(experiment: str, share: float, words: list[str]) -> list[str]:
    return [f"experiment={experiment}", f"data.fraction={share:g}", "trainer.val_every=100", *words]


def _draw(found: dict[str, list[tuple[float, float]]], file: Path) -> None:
    with drawing(file, "CIFAR-10: what few images are worth", 7.5, 4.2) as figure:
        axes = figure.add_subplot()
        for method, points in found.items():
            x, y = [FULL * share for share, _ in points], [100 * accuracy for _, accuracy in points]
            axes.plot(x, y, marker="o", color=COLOURS[method], label=method)
            for number, place in enumerate(zip(x, y, strict=True)):
                is_best = place[1] == 100 * max(others[number][1] for others in found.values())
                axes.annotate(
                    f"{place[1]:.1f}",
                    place,
                    (0, 8 if is_best else -18),
                    textcoords="offset points",
                    ha="center",
                    color=COLOURS[method],
                )
        axes.set_xscale("log")
        axes.set_xticks([FULL * share for share in SCRATCH], [f"{FULL * share:,.0f}" for share in SCRATCH])
        axes.minorticks_off()
        axes.set(xlabel="training images", ylabel="test accuracy [%]")
        axes.margins(0.06, 0.2)
        axes.grid(axis="y", alpha=0.3)
        axes.legend(loc="lower right")
