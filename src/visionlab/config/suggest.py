"""The nearest known name to a mistyped one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

CUTOFF = 0.6  # the least similarity, from 0 to 1


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was most likely meant to be, or None.

    Of dotted paths those of the same section are compared first, by their last part; then the same last part in
    another section counts, so that `lr` finds `optimizer.lr`; and at last, where there is no such section, the whole.
    """
    known = list(known)
    section, _, leaf = name.rpartition(".")
    beside = {path.rpartition(".")[2]: path for path in known if path.rpartition(".")[0] == section}
    close = difflib.get_close_matches(leaf, beside, n=1, cutoff=CUTOFF)
    if close:
        return beside[close[0]]
    same_leaf = [path for path in known if path.rpartition(".")[2] == leaf]
    if same_leaf:
        return difflib.get_close_matches(name, same_leaf, n=1, cutoff=0.0)[0]
    whole = [] if section in known else difflib.get_close_matches(name, known, n=1, cutoff=CUTOFF)
    return whole[0] if whole else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean …?`, or nothing where no known name is near."""
    near = nearest(name, known)
    return f"; did you mean {near}?" if near else ""
