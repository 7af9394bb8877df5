"""Classes that cannot be on both sides of a split, because the images of a group never part."""

from __future__ import annotations

from collections import defaultdict

from visionlab.data.hashed import HashedSet
from visionlab.data.splits import units
from visionlab.errors import UserError


def check_groups(part: HashedSet, classes: tuple[str, ...], other: str, alternative: str) -> None:
    """Make sure that a split of `part` can leave each class with several images on both sides.

    Args:
        part: to be split into images to train on and others.
        classes: names, by label.
        other: what the others are for.
        alternative: what can be done besides adding images.

    Raises:
        UserError: all images of a class are of one group, or of groups that share images.
    """
    groups = part.images.groups
    if groups is None:
        return
    labels = part.images.labels.tolist()
    found: dict[int, list[list[int]]] = defaultdict(list)
    for members in units(part.images, part.hashes):
        for label in {labels[i] for i in members}:
            found[label].append([i for i in members if labels[i] == label])
    for label, parts in sorted(found.items()):
        if len(parts) == 1 and len(parts[0]) > 1:
            names = sorted({groups[i] for i in parts[0]})
            where = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}, which share images"
            raise UserError(
                f"data: expected images of class {classes[label]!r} in several groups, some to train on and some for "
                f"{other}, found all {len(parts[0]):,} of them in {where}; add images of other groups, or {alternative}"
            )
