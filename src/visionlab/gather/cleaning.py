"""From what was fetched to what is kept: inspect, compare, decide, and say of each image why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from visionlab.config.gather import AcceptConfig
from visionlab.data.listing import images_below
from visionlab.gather.decisions import check_clear, decided
from visionlab.gather.duplicates import COPY_OF_TEST, EXACT, Candidate, Verdict, judge
from visionlab.gather.inspection import Inspection
from visionlab.gather.links import Find
from visionlab.gather.manifest import Decision, Row
from visionlab.gather.matching import find_copies, find_duplicates
from visionlab.gather.placing import FILES, HIDDEN, NAME_DIGITS, REJECTED, TRAIN
from visionlab.gather.signature import Signatures
from visionlab.gather.signature_store import Outcome, inspect_all, key_of

TEST = "test"
BY_HAND: Final = "by hand"


@dataclass(frozen=True)
class Held:
    """The images that are never to be trained on.

    Attributes:
        candidates: those that can be decoded; their keys are paths below the data set's folder.
        signatures: of each.
        unreadable: how many files cannot be decoded.
    """

    candidates: list[Candidate]
    signatures: Signatures
    unreadable: int = 0


class Ending(NamedTuple):
    """What becomes of an image, why, and the key of the image that it is dropped for."""

    decision: Decision
    reason: str = ""
    of: str = ""


Key = tuple[str, str]  # class and SHA-256: what a decision is about


def clean(
    root: Path, finds: Sequence[Find], accept: AcceptConfig, decisions: Mapping[str, Decision], held: Held
) -> list[Row]:
    """Decide about every image that was found.

    Args:
        root: the data set's folder.
        finds: in the order in which they count: of an address found twice for a class the first.
        decisions: a person's, by class/name.
        held: what nothing that is kept may be a copy of.

    Returns:
        A row for each address of each class, in the order of the finds; the first row of a file names it.
    """
    first: dict[tuple[str, str], Find] = {}
    for find in finds:
        first.setdefault((find.page.label, find.link.url), find)
    finds = list(first.values())
    keys = list(dict.fromkeys(_key(find) for find in finds if find.fetch is not None and find.fetch.sha256))
    outcomes = _inspect(root, list(dict.fromkeys(sha256 for _, sha256 in keys)), accept)
    images = {key: outcome for key in keys if isinstance(outcome := outcomes[key[1]], Inspection)}
    sizes = {find.fetch.sha256: find.fetch.bytes for find in finds if find.fetch is not None}
    verdicts = _judge(images, sizes, held)
    names = {key: f"{key[0]}/{key[1][:NAME_DIGITS]}{_suffix(outcomes[key[1]])}" for key in keys}
    check_clear(root, decisions, names.values())
    endings = {key: _decide(names[key], outcomes[key[1]], verdicts.get(key), decisions) for key in keys}
    places = {key: _place(names[key], endings[key]) for key in keys}
    return _rows(finds, outcomes, endings, places)


def held_out(root: Path) -> Held:
    """The test images of the data set in `root`, inspected; none where there is no `test/`."""
    files = list(images_below(root / TEST, Counter(), _raise)) if (root / TEST).exists() else []
    cache = root / HIDDEN / "signatures" / "held_out"
    outcomes = inspect_all(files, [key_of(file) for file in files], cache, None, "test images") if files else []
    found = [(file, image) for file, image in zip(files, outcomes, strict=True) if isinstance(image, Inspection)]
    candidates = [
        Candidate(file.relative_to(root).as_posix(), file.parent.name, image.width * image.height, 0, image.pixel_hash)
        for file, image in found
    ]
    return Held(candidates, Signatures.of([image.signature for _, image in found]), len(files) - len(found))


def _raise(error: OSError) -> None:
    raise error  # a test image that is not compared with would be a hole


def _key(find: Find) -> Key:
    return find.page.label, find.fetch.sha256 if find.fetch is not None else ""


def _inspect(root: Path, hashes: Sequence[str], accept: AcceptConfig) -> dict[str, Outcome]:
    files = [root / FILES / sha256 for sha256 in hashes]
    cache = root / HIDDEN / "signatures" / "gathered"
    return dict(zip(hashes, inspect_all(files, hashes, cache, accept, "what was gathered"), strict=True))


def _judge(images: Mapping[Key, Inspection], sizes: Mapping[str, int], held: Held) -> dict[Key, Verdict]:
    candidates = [
        Candidate(sha256, label, image.width * image.height, sizes[sha256], image.pixel_hash)
        for (label, sha256), image in images.items()
    ]
    signatures = Signatures.of([image.signature for image in images.values()])
    near, copies = find_duplicates(signatures), find_copies(signatures, held.signatures)
    return dict(zip(images, judge(candidates, near, held.candidates, copies), strict=True))


def _suffix(outcome: Outcome) -> str:
    return outcome.suffix if isinstance(outcome, Inspection) else ""


def _decide(name: str, outcome: Outcome, verdict: Verdict | None, decisions: Mapping[str, Decision]) -> Ending:
    if isinstance(outcome, str) or verdict is None:
        return Ending("drop", str(outcome))
    wanted = decided(name, decisions)
    if wanted == "drop":
        return Ending("drop", BY_HAND)
    # of a copy of a test image nobody may decide that it is trained on
    if verdict.reason and (wanted != "keep" or verdict.reason == COPY_OF_TEST):
        return Ending("drop", verdict.reason, verdict.of)
    return Ending("keep")


def _place(name: str, ending: Ending) -> str:
    return f"{TRAIN}/{name}" if ending.decision == "keep" else f"{REJECTED}/{ending.reason}/{name}"


def _rows(
    finds: Sequence[Find], outcomes: Mapping[str, Outcome], endings: Mapping[Key, Ending], places: Mapping[Key, str]
) -> list[Row]:
    any_place = {sha256: place for (_, sha256), place in reversed(list(places.items()))}
    rows = []
    named = set()
    for find in finds:
        key = _key(find)
        if key not in endings:
            reason = find.fetch.reason if find.fetch is not None else "not fetched yet"
            rows.append(_row(find, "", None, Ending("drop", reason), ""))
            continue
        ending, place = endings[key], places[key]
        if key in named:  # the same file at another address
            ending, place = Ending("drop", EXACT if ending.decision == "keep" else ending.reason, key[1]), ""
        named.add(key)
        rows.append(_row(find, place, outcomes[key[1]], ending, any_place.get(ending.of, ending.of)))
    return rows


def _row(find: Find, file: str, outcome: Outcome | None, ending: Ending, of: str) -> Row:
    fetch, image = find.fetch, outcome if isinstance(outcome, Inspection) else None
    return Row(
        file=file,
        label=find.page.label,
        query=find.page.query,
        source=find.page.source,
        page_url=find.link.page_url,
        image_url=find.link.url,
        fetched="" if fetch is None else datetime.fromtimestamp(fetch.time / 1000, UTC).isoformat(timespec="seconds"),
        licence=find.link.licence,
        bytes=str(fetch.bytes) if fetch is not None and fetch.sha256 else "",
        sha256=fetch.sha256 if fetch is not None else "",
        pixel_hash=image.pixel_hash if image else "",
        perceptual_hash=f"{int(image.signature.hashes[0]):016x}" if image else "",
        width=str(image.width) if image else "",
        height=str(image.height) if image else "",
        decision=ending.decision,
        reason=ending.reason,
        detail=f"of {of}" if of else "",
    )
