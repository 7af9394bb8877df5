from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.gather.pictures import cropped, decoded, encoded, mirrored, picture
from visionlab.gather import matching
from visionlab.gather.matching import Match, find_copies, find_duplicates
from visionlab.gather.signature import Signatures, sign

SEEDS = range(40)


def saved(image: Image.Image, quality: int = 50) -> Image.Image:
    return decoded(encoded(image, quality=quality))


def small(image: Image.Image) -> Image.Image:
    """With 96 pixels on the shorter side."""
    factor = 96 / min(image.size)
    return image.resize((round(image.width * factor), round(image.height * factor)))


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "same": lambda image: image,
    "saved": saved,
    "saved three times": lambda image: saved(saved(saved(image), 60)),
    "small": small,
    "small and saved": lambda image: saved(small(image)),
    "large": lambda image: image.resize((1000, 750)),
    "squeezed": lambda image: image.resize((300, 400)),
    "mirrored": mirrored,
    "mirrored, small and saved twice": lambda image: saved(saved(small(mirrored(image)))),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "grey, small and saved": lambda image: saved(small(image.convert("L").convert("RGB"))),
    "grey, nine tenths, mirrored": lambda image: mirrored(cropped(image.convert("L").convert("RGB"), 0.9)),
    "sepia": lambda image: ImageOps.colorize(image.convert("L"), (30, 15, 0), (255, 235, 200)),
    "nine tenths": lambda image: saved(cropped(image, 0.9)),
    "eight tenths": lambda image: saved(cropped(image, 0.8)),
    "seven tenths": lambda image: saved(cropped(image, 0.7)),
    "eight tenths from a corner, mirrored": lambda image: saved(mirrored(cropped(image, 0.8, 0, 1))),
}


def signed(images: list[Image.Image]) -> Signatures:
    return Signatures.of([sign(image) for image in images])


@pytest.fixture(scope="module")
def originals() -> Signatures:
    return signed([picture(seed) for seed in SEEDS])


@pytest.mark.parametrize("name", COPIES)
def test_copies_are_found_and_nothing_else(originals: Signatures, name: str) -> None:
    seeds = [3, 17, 30, 100, 101]  # the last two are of nothing
    queries = signed([COPIES[name](picture(seed)) for seed in seeds])
    found = find_copies(queries, originals)
    assert [match[:2] for match in found] == [(0, 3), (1, 17), (2, 30)]
    assert all(match.mirrored == ("mirrored" in name) for match in found)
    assert all(0.94 <= match.correlation <= 1.0001 for match in found)
    # an image that is itself a part of another one is found as well
    assert [match[1::-1] for match in find_copies(originals, queries)] == [(0, 3), (1, 17), (2, 30)]


def test_duplicates_are_found_once_each(originals: Signatures) -> None:
    images = [
        picture(1),
        picture(2),
        saved(picture(1)),
        mirrored(picture(2)),
        picture(3),
        saved(cropped(picture(1), 0.9)),
    ]
    found = find_duplicates(signed(images))
    assert [match[:2] for match in found] == [(0, 2), (0, 5), (1, 3), (2, 5)]
    assert [match.mirrored for match in found] == [False, False, True, False]
    assert find_duplicates(originals) == []


def test_a_symmetric_picture_is_no_duplicate_of_itself() -> None:
    half = picture(8)
    both = Image.new("RGB", (2 * half.width, half.height))
    both.paste(half, (0, 0))
    both.paste(mirrored(half), (half.width, 0))
    assert find_duplicates(signed([both, picture(9)])) == []
    assert [match[:2] for match in find_duplicates(signed([both, picture(9), both]))] == [(0, 2)]


def test_a_picture_that_is_there_often_costs_no_more() -> None:
    one, copy, other = (sign(image) for image in (picture(1), saved(picture(1)), picture(2)))
    often = Signatures.of([copy, *[one] * 2000, other])
    found = find_duplicates(often)
    assert sorted({place for match in found for place in match[:2]}) == list(range(2001))
    assert len(found) == 2000
    copies = find_copies(often, Signatures.of([other, one, one]))
    assert [match[:2] for match in copies] == [(n, r) for n in range(2001) for r in (1, 2)] + [(2001, 0)]


def test_the_same_shapes_in_other_colours_are_another_image(originals: Signatures) -> None:
    red, green, blue = picture(3).split()
    assert find_copies(signed([Image.merge("RGB", (blue, red, green))]), originals) == []


@pytest.mark.parametrize(("queries", "references"), [(0, 0), (0, 2), (2, 0)])
def test_nothing_is_like_nothing(queries: int, references: int) -> None:
    images = signed([picture(seed) for seed in range(2)])
    first, second = (Signatures(images.hashes[:n], images.thumbnails[:n]) for n in (queries, references))
    assert find_copies(first, second) == []
    assert find_duplicates(first) == []


def test_one_colour_all_over_breaks_nothing() -> None:
    images = [Image.new("RGB", (99, 99), color) for color in ("white", "black")] + [picture(1)]
    assert find_copies(signed(images), signed(images[2:])) == [Match(2, 0, pytest.approx(1), False)]


def test_the_order_and_the_blocks_are_of_no_account(originals: Signatures, monkeypatch: pytest.MonkeyPatch) -> None:
    images = [picture(seed) for seed in range(12)] + [COPIES[name](picture(n)) for n, name in enumerate(COPIES)]
    signatures = signed(images)
    expected = find_duplicates(signatures)
    assert len(expected) >= 12
    assert find_duplicates(signatures) == expected
    order = np.random.default_rng(0).permutation(len(signatures))
    for name, size in (("ROWS", 3), ("WIDTH", 5), ("BLOCK", 4), ("PAIRS", 2)):
        monkeypatch.setattr(matching, name, size)
    found = find_duplicates(Signatures(signatures.hashes[order], signatures.thumbnails[order]))
    pairs = {tuple(sorted((int(order[match.query]), int(order[match.reference])))) for match in found}
    assert pairs == {match[:2] for match in expected}


@pytest.mark.slow
def test_copies_of_many_pictures_are_all_found() -> None:
    seeds = range(300)
    originals = signed([picture(seed) for seed in seeds])
    for name in ("saved three times", "small and saved", "mirrored, small and saved twice"):
        found = find_copies(signed([COPIES[name](picture(seed)) for seed in seeds]), originals)
        assert [match[:2] for match in found] == [(seed, seed) for seed in seeds], name
