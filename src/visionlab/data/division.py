"""From a data set as it was found to the images that are trained, validated and tested on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from visionlab.config.data import DataConfig
from visionlab.data.groups import check_groups
from visionlab.data.hashed import HashedSet
from visionlab.data.images import ImageSet, fingerprint
from visionlab.data.imbalance import long_tail
from visionlab.errors import UserError

if TYPE_CHECKING:
    from visionlab.data.datamodule import Raw


@dataclass(frozen=True)
class Division:
    """The parts of a data set.

    Attributes:
        sets: train, val where there is validation, and test.
        fingerprint: of the content, before anything was split off or left out.
        notes: what was left out, and how many images.
    """

    sets: dict[str, ImageSet]
    fingerprint: str
    notes: dict[str, int] = field(default_factory=dict)


def divide(raw: Raw, config: DataConfig) -> Division:
    """Split a data set as its configuration says; no image, nor a copy of it, is in two parts.

    But for a whole domain, of which all parts are the same.

    Raises:
        UserError: nothing is left of a part, or the data set cannot be split like that.
    """
    notes: dict[str, int] = {}
    found = {"train": raw.train, "val": raw.val, "test": raw.test}
    sets = {name: HashedSet.of(images) for name, images in found.items() if images is not None}
    identity = fingerprint({name: (part.hashes, part.images.labels) for name, part in sets.items()})
    train = sets["train"]
    if raw.is_whole_domain:
        return Division(dict.fromkeys(("train", "val", "test"), raw.train), identity)
    if "test" not in sets:
        check_groups(train, raw.classes, "the test", "bring a test set")
        train, sets["test"] = train.split(raw.test_fraction, 0, "test")
    if "val" in sets:
        sets["val"] = _leave_out(notes, "validation", sets["val"], "test", sets["test"])
        train = _leave_out(notes, "training", train, "validation", sets["val"])
    train = _leave_out(notes, "training", train, "test", sets["test"])
    if config.fraction < 1:
        _, train = train.split(config.fraction, config.split_seed, "fraction")
    if config.splits_off_validation and "val" not in sets:
        check_groups(train, raw.classes, "validation", "bring a validation set")
    if config.folds is not None:
        if "val" in sets:
            raise UserError(
                f"data.folds: expected none, as {config.name} has a validation set of its own; "
                "put its images among those to train on"
            )
        train, sets["val"] = train.split_fold(config.fold, config.folds, config.split_seed)
    elif "val" not in sets and config.val_fraction > 0:
        train, sets["val"] = train.split(config.val_fraction, config.split_seed, "validation")
    if config.imbalance is not None:
        before, train = len(train), long_tail(train, config.imbalance, config.split_seed)
        sizes = [size for size in train.images.labels.bincount().tolist() if size]
        notes["training images left out to make classes unequal"] = before - len(train)
        notes |= {"training images of the first class": sizes[0], "training images of the last class": sizes[-1]}
    sets["train"] = train
    for name, part in sets.items():
        if len(part) == 0:
            advice = "; data.val_fraction=0 trains without" if name == "val" and raw.val is None else ""
            raise UserError(f"data {config.name}: no image is left for {name} after the splits{advice}")
    missing = int((train.images.labels.bincount(minlength=len(raw.classes)) == 0).sum())
    if missing:
        notes["classes without a training image"] = missing
    return Division({name: sets[name].images for name in found if name in sets}, identity, notes)


def _leave_out(notes: dict[str, int], name: str, part: HashedSet, other: str, held_out: HashedSet) -> HashedSet:
    """`part` without the images that are also in `held_out`, nor those of a group with one of these."""
    rest, copies = part.without(held_out), part.count_in(held_out)
    grouped = len(part) - len(rest) - copies
    if copies:
        notes[f"{name} images also in the {other} set left out"] = copies
    if grouped:
        notes[f"{name} images of a group in the {other} set left out"] = grouped
    return rest
