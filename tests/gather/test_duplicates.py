from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from visionlab.gather.duplicates import Candidate, Verdict, judge
from visionlab.gather.matching import Match


def image(key: str, label: str = "cat", pixels: int = 100, size: int = 10, pixel_hash: str = "") -> Candidate:
    return Candidate(key, label, pixels, size, pixel_hash or f"pixels of {key}")


def near(first: int, second: int, correlation: float = 0.99) -> Match:
    return Match(first, second, correlation, mirrored=False)


def words(verdicts: Sequence[Verdict]) -> list[str]:
    return [f"{verdict.reason} of {verdict.of}" if verdict.reason else "keep" for verdict in verdicts]


def test_what_is_alone_is_kept() -> None:
    assert words(judge([image("a"), image("b", "dog")], [], [image("t")], [])) == ["keep", "keep"]
    assert judge([], [], [], []) == []


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        ([image("a", pixels=99), image("b", pixels=100)], ["near duplicate of b", "keep"]),
        ([image("a", size=9), image("b", size=10)], ["near duplicate of b", "keep"]),
        ([image("b"), image("a")], ["near duplicate of a", "keep"]),
        ([image("a", pixel_hash="x"), image("b", pixel_hash="x")], ["keep", "exact duplicate of a"]),
    ],
)
def test_the_best_of_a_pair_is_kept(images: list[Candidate], expected: list[str]) -> None:
    assert words(judge(images, [near(0, 1)], [], [])) == expected


def test_equal_pixels_need_no_match() -> None:
    found = judge([image("a", pixel_hash="x"), image("b"), image("c", pixel_hash="x", size=11)], [], [], [])
    assert words(found) == ["exact duplicate of c", "keep", "keep"]


def test_duplicates_of_duplicates_are_of_one_group() -> None:
    images = [image("a"), image("b", pixels=400), image("c"), image("d", pixels=300)]
    found = judge(images, [near(0, 1), near(0, 2), near(2, 3)], [], [])
    assert words(found) == ["near duplicate of b", "keep", "near duplicate of b", "near duplicate of b"]


def test_a_group_in_several_classes_is_dropped_whole() -> None:
    images = [image("a"), image("b", "dog"), image("c", pixels=9), image("d")]
    found = judge(images, [near(0, 1), near(0, 2)], [], [])
    assert words(found) == ["in several classes of b", "in several classes of a", "in several classes of b", "keep"]


def test_a_file_found_for_two_classes_is_kept_in_none() -> None:
    found = judge([image("a", "cat", pixel_hash="x"), image("a", "dog", pixel_hash="x")], [], [], [])
    assert words(found) == ["in several classes of a"] * 2


def test_a_group_with_a_copy_of_a_test_image_is_dropped_whole() -> None:
    images = [image("a"), image("b"), image("c", pixels=999), image("d")]
    tests = [image("test/1"), image("test/2")]
    copies = [near(1, 0, 0.97), near(1, 1, 0.98)]
    found = judge(images, [near(0, 1), near(0, 2)], tests, copies)
    assert words(found) == [*["copy of a test image of test/2"] * 3, "keep"]


def test_a_copy_of_a_test_image_goes_before_several_classes() -> None:
    found = judge([image("a"), image("b", "dog")], [near(0, 1)], [image("t")], [near(0, 0)])
    assert words(found) == ["copy of a test image of t"] * 2


def test_the_pixels_of_a_test_image_need_no_match() -> None:
    found = judge([image("a", pixel_hash="x"), image("b")], [], [image("s"), image("t", pixel_hash="x")], [])
    assert words(found) == ["copy of a test image of t", "keep"]


def test_each_member_names_the_test_image_that_it_shows() -> None:
    copies = [near(0, 0), near(1, 1)]
    found = judge([image("a"), image("b")], [near(0, 1)], [image("s"), image("t")], copies)
    assert words(found) == ["copy of a test image of s", "copy of a test image of t"]


def test_the_order_is_of_no_account() -> None:
    drawn = random.Random(0)
    images = [
        image(f"{number:02}", drawn.choice(["cat"] * 12 + ["dog"]), drawn.randrange(3), drawn.randrange(3), pixels)
        for number, pixels in enumerate(str(drawn.randrange(40)) for _ in range(60))
    ]
    tests = [image(f"test/{number}", pixel_hash=str(50 + number)) for number in range(3)]
    pairs = [near(*sorted(drawn.sample(range(60), 2))) for _ in range(18)]
    copies = [near(drawn.randrange(60), drawn.randrange(3), drawn.choice([0.95, 0.96])) for _ in range(5)]
    expected = dict(zip((one.key for one in images), judge(images, pairs, tests, copies), strict=True))
    assert len({verdict.reason for verdict in expected.values()}) == 5
    for _ in range(20):
        order, other = drawn.sample(range(60), 60), drawn.sample(range(3), 3)
        found = judge(
            [images[place] for place in order],
            [near(order.index(b), order.index(a)) for a, b, *_ in drawn.sample(pairs, 18)],
            [tests[place] for place in other],
            [near(order.index(a), other.index(b), c) for a, b, c, _ in drawn.sample(copies, 5)],
        )
        assert {images[place].key: verdict for place, verdict in zip(order, found, strict=True)} == expected
