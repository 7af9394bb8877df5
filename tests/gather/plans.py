"""What a search engine of the tests finds, and what should become of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

from tests.gather.replies import Fixed, Reply
from tests.gather.result_pages import BING_SIZE, FLICKR_SIZE, GOOGLE_SIZE, OPENVERSE_SIZE

PAGE_SIZES = {"openverse": OPENVERSE_SIZE, "bing": BING_SIZE, "google": GOOGLE_SIZE, "flickr": FLICKR_SIZE}
KEYLESS = ("openverse", "bing", "google")
TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}


@dataclass(frozen=True)
class Item:
    """An image at an address.

    Attributes:
        path: with the parameters; begins with a slash.
        reply: how the server answers.
        kind: what should become of it, as "good" or "leak".
        group: of those that show the same picture, of which at most one is kept.
        found_by: the search engines and the queries; empty for what is served without being found.
    """

    path: str
    reply: Reply
    kind: str = "good"
    group: str = ""
    found_by: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Plan:
    """All that an engine serves.

    Attributes:
        items: the images.
        queries: of each class.
        held_out: by class and file name, the test images of which some items are copies.
    """

    items: tuple[Item, ...]
    queries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    held_out: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)

    def results(self) -> dict[tuple[str, str], list[str]]:
        """The paths that each search engine finds for each query."""
        results = defaultdict(list)
        for item in self.items:
            for place in item.found_by:
                results[place].append(item.path)
        return dict(results)

    def pages(self) -> int:
        """How many pages of results must be asked for to find everything."""
        return max((-(-len(paths) // PAGE_SIZES[source]) for (source, _), paths in self.results().items()), default=1)


def spread(items: Iterable[Item], queries: Sequence[str]) -> list[Item]:
    """Have each item found by one of the queries, in one of the search engines; every third one by others too.

    Openverse finds half of them. Flickr finds nothing that the others do not, as it is asked only by those who have a
    key of it.
    """
    placed = []
    for number, item in enumerate(items):
        source = KEYLESS[(0, 1, 0, 2)[number % 4]]
        query = queries[number // 4 % len(queries)]
        found_by = [(source, query)]
        if number % 3 == 0:
            found_by += [(KEYLESS[number % 2], queries[number % len(queries)]), ("flickr", query)]
        placed.append(replace(item, found_by=tuple(dict.fromkeys(item.found_by + tuple(found_by)))))
    return placed


def folder_plan(folder: Path, queries: Mapping[str, Sequence[str]] | None = None) -> Plan:
    """The photos of a folder that has a folder for each class.

    Args:
        folder: of the photos. They are read when they are asked for.
        queries: of each class; six made-up ones for a class that has none.
    """
    items: list[Item] = []
    asked = {}
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        label = place.name
        files = sorted(path for path in place.iterdir() if path.suffix.lower() in TYPES)
        asked[label] = tuple((queries or {}).get(label) or [f"{label} {number}" for number in range(1, 7)])
        items += spread((_photo(label, number, file) for number, file in enumerate(files)), asked[label])
    return Plan(tuple(items), asked)


def _photo(label: str, number: int, file: Path) -> Item:
    """With an address of one of the kinds that are common."""
    path = f"/photos/{quote(label)}/{number}"
    ending = (file.suffix, f"{file.suffix}?w=1024&fit=crop", "", f"/{quote(file.name)}")[number % 4]
    return Item(path + ending, Fixed(file, TYPES[file.suffix.lower()]))
