"""What the numbers of a run depend on: code, libraries, machine, data, first weights; recorded, and as they are now."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from visionlab.tracking import journal, provenance
from visionlab.tracking.catalog import campaign_of
from visionlab.tracking.run import Run

SHORT = 12  # characters of a hash
MOST_PACKAGES = 4  # named in full
VERSIONS = ("python", "torch", "lightning", "torchmetrics", "visionlab", "lock")
NONE, TRAINER, PACKAGES = "none", "trainer.", "packages"


class Kind(StrEnum):
    """What a difference may change.

    A difference in ROUNDING may change the last bits of a sum, or the next random number, and with them the course of
    training; one of CONTENT makes it another experiment; one to NOTE explains others.
    """

    ROUNDING = "rounding"
    CONTENT = "content"
    NOTE = "note"


@dataclass(frozen=True)
class Facts:
    """What is known of a run, or of this machine as a run would find it.

    Attributes:
        named: by name, in words.
        packages: `name==version` each.
    """

    named: Mapping[str, str]
    packages: Sequence[str] = field(default=())


@dataclass(frozen=True)
class Row:
    """One fact, then and now; None where it was not recorded."""

    name: str
    kind: Kind
    then: str | None
    now: str | None

    @property
    def is_same(self) -> bool:
        return self.then is not None and self.then == self.now

    @property
    def differs(self) -> bool:
        """Whether it is known to be another one, or gone."""
        return self.then is not None and self.then != self.now


KINDS = {
    "code": Kind.ROUNDING,
    "commit": Kind.NOTE,
    "uncommitted changes": Kind.NOTE,
    **dict.fromkeys(VERSIONS, Kind.ROUNDING),
    "hardware": Kind.ROUNDING,
    "device": Kind.ROUNDING,
    "precision": Kind.ROUNDING,
    "threads": Kind.ROUNDING,
    "data": Kind.CONTENT,
    "images": Kind.CONTENT,
    "classes": Kind.CONTENT,
    "first weights": Kind.ROUNDING,
}


def recorded(run: Run) -> Facts:
    """What a run has recorded; for a run of a campaign some of it is in the campaign's folder."""
    start = run.start()
    counts = {
        record["context"]: record["classes"]
        for record in journal.read(run.journal_file)[0]
        if record["kind"] == "dataset"
    }
    campaign = campaign_of(start)
    folder = (run.path.parent / campaign if campaign else run.path) / "code"
    installed, diff = folder / provenance.INSTALLED, folder / provenance.UNCOMMITTED
    return facts(
        start["tags"],
        diff.read_text(encoding="utf-8") if diff.exists() else "",
        {name.removeprefix(TRAINER): value for name, value in start["params"].items() if name.startswith(TRAINER)},
        counts,
        installed.read_text(encoding="utf-8").splitlines() if installed.exists() else (),
    )


def facts(
    tags: Mapping[str, str],
    diff: str,
    trainer: Mapping[str, object],
    counts: Mapping[str, Mapping[str, int]],
    packages: Sequence[str],
) -> Facts:
    """Name the facts.

    Args:
        tags: of a run's first record.
        diff: what differed from the commit.
        trainer: the settings of the trainer, resolved.
        counts: images of each class, by MLflow's word for the split.
    """
    named = {name: tags.get(name) for name in ("code", *VERSIONS, "hardware", "threads")}
    if "git.commit" in tags:
        named["commit"] = tags["git.commit"][:SHORT]
        named["uncommitted changes"] = hashlib.sha256(diff.encode()).hexdigest()[:SHORT] if diff else NONE
    named["device"] = f"{trainer.get('devices')} x {trainer.get('accelerator')}"
    named["precision"] = str(trainer.get("precision"))
    named["data"] = tags.get("data.fingerprint")
    named["images"] = ", ".join(f"{sum(split.values()):,} {name}" for name, split in counts.items()) or None
    named["classes"] = ", ".join(dict.fromkeys(name for split in counts.values() for name in split)) or None
    named["first weights"] = tags.get("weights.start")
    return Facts({name: named[name] or "" for name in KINDS if named.get(name)}, packages)


def compare(
    then: Facts,
    now: Facts,
    edited: Mapping[str, tuple[object, object]],
    given_weights: bool = False,
    lacking: Mapping[str, object] | None = None,
) -> list[Row]:
    """Every fact that one of the two has, and each setting that was edited or has come since.

    Args:
        edited: by path, what the run was trained with and what it would be now.
        lacking: by path, defaults of settings that there were none of: meant to change nothing, and perhaps they do.
        given_weights: the first weights were not drawn by the seed, so that others are another start.
    """
    rows = [
        Row(name, _kind(name, then, now, given_weights), then.named.get(name), now.named.get(name))
        for name in KINDS
        if name in then.named or name in now.named
    ]
    if then.packages:
        count = f"{len(then.packages)} installed"
        differing = list(_other_packages(then.packages, now.packages))
        more = f", and {len(differing) - MOST_PACKAGES} more" if len(differing) > MOST_PACKAGES else ""
        said = ", ".join(differing[:MOST_PACKAGES]) + more
        rows.insert(_place(rows), Row(PACKAGES, Kind.NOTE, count, said or count))
    rows += [Row(path, Kind.ROUNDING, None, str(default)) for path, default in (lacking or {}).items()]
    return rows + [Row(path, Kind.CONTENT, str(old), str(new)) for path, (old, new) in edited.items()]


def _kind(name: str, then: Facts, now: Facts, given_weights: bool) -> Kind:
    if name == "first weights" and given_weights:
        return Kind.CONTENT
    # without a hash of the code on both sides, commit and uncommitted changes have to speak for it
    speaks_for_code = name in ("commit", "uncommitted changes") and not ("code" in then.named and "code" in now.named)
    return Kind.ROUNDING if speaks_for_code else KINDS[name]


def _place(rows: Sequence[Row]) -> int:
    """Packages stand behind the lock."""
    return next((number + 1 for number, row in enumerate(rows) if row.name == "lock"), len(rows))


def _other_packages(then: Sequence[str], now: Sequence[str]) -> Iterator[str]:
    old, new = (dict(line.partition("==")[::2] for line in part) for part in (then, now))
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield f"{name} {new.get(name, 'missing')} (was {old.get(name, 'missing')})"
