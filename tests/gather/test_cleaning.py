"""What is decided about each image that was found, in the words of the manifest."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from tests.gather.pictures import encoded, picture
from visionlab.config.gather import AcceptConfig
from visionlab.errors import UserError
from visionlab.gather.cleaning import clean, held_out
from visionlab.gather.links import Fetch, Find, Link, Page
from visionlab.gather.manifest import Row, manifest_fingerprint, read_manifest, write_manifest
from visionlab.gather.placing import FILES
from visionlab.gather.summary import summary_lines

ACCEPT = AcceptConfig()


class Crawled:
    """Finds with their files, as a crawl leaves them."""

    def __init__(self, root: Path) -> None:
        self.root, self.finds = root, list[Find]()
        (root / FILES).mkdir(parents=True)

    def add(self, label: str, data: bytes | None, url: str = "", query: str = "q", reason: str = "HTTP 404") -> str:
        """The name that the file gets, without its suffix."""
        url = url or f"http://x.example/{len(self.finds)}"
        fetch = Fetch(time=1_700_000_000_000, reason=reason)
        if data is not None:
            sha256 = hashlib.sha256(data).hexdigest()
            (self.root / FILES / sha256).write_bytes(data)
            fetch = Fetch(time=1_700_000_000_000, sha256=sha256, bytes=len(data))
        self.finds.append(Find(Page("bing", label, query), Link(url, "http://x.example/page", "CC BY 4.0"), fetch))
        return f"{label}/{fetch.sha256[:12]}"

    def rows(self, **decisions: str) -> list[Row]:
        wanted = {name.replace("__", "/"): decision for name, decision in decisions.items()}
        return clean(self.root, self.finds, ACCEPT, wanted, held_out(self.root))  # type: ignore[arg-type]


@pytest.fixture
def crawled(tmp_path: Path) -> Crawled:
    return Crawled(tmp_path)


def test_every_row_says_what_there_is_to_know(crawled: Crawled) -> None:
    data = encoded(picture(1), "PNG")
    name = crawled.add("cat", data, "http://x.example/cat.jpg?size=1", query="tabby")
    (row,) = crawled.rows()
    assert row == Row(
        file=f"train/{name}.png",
        label="cat",
        query="tabby",
        source="bing",
        page_url="http://x.example/page",
        image_url="http://x.example/cat.jpg?size=1",
        fetched="2023-11-14T22:13:20+00:00",
        licence="CC BY 4.0",
        bytes=str(len(data)),
        sha256=hashlib.sha256(data).hexdigest(),
        pixel_hash=row.pixel_hash,
        perceptual_hash=row.perceptual_hash,
        width="480",
        height="360",
        decision="keep",
        reason="",
        detail="",
    )
    assert len(row.pixel_hash) == 32
    assert len(row.perceptual_hash) == 16


def test_of_duplicates_the_best_is_kept_and_of_both_classes_none(crawled: Crawled) -> None:
    small, large = picture(1).resize((240, 180)), picture(1)
    crawled.add("cat", encoded(small))
    best = crawled.add("cat", encoded(large))
    crawled.add("cat", encoded(large), "http://elsewhere.example/same")
    crawled.add("cat", encoded(large, "PNG"))
    both = crawled.add("cat", encoded(picture(2)))
    other = crawled.add("dog", encoded(ImageOps.mirror(picture(2))))
    crawled.add("dog", encoded(picture(3)))
    rows = crawled.rows()
    png, jpg = (
        row
        for row in rows
        if row.width == "480" and row.label == "cat" and row.file and row.reason != "in several classes"
    )
    kept, dropped = (jpg, png) if jpg.decision == "keep" else (png, jpg)
    assert kept.file in (f"train/{best}.jpg", f"train/{kept.label}/{kept.sha256[:12]}.png")
    assert (dropped.decision, dropped.detail) == ("drop", f"of {kept.file}")
    reasons = [row.reason for row in rows]
    assert reasons[0] == "near duplicate"
    assert reasons[2] in ("exact duplicate", "near duplicate")
    assert rows[2].file == ""
    assert reasons[4:] == ["in several classes", "in several classes", ""]
    assert [row.detail for row in rows[4:6]] == [
        f"of rejected/in several classes/{other}.jpg",
        f"of rejected/in several classes/{both}.jpg",
    ]


def test_the_same_file_found_for_two_classes_is_in_neither(crawled: Crawled) -> None:
    data = encoded(picture(1))
    crawled.add("cat", data, "http://x.example/same")
    crawled.add("dog", data, "http://x.example/same")
    crawled.add("cat", data, "http://x.example/same")
    rows = crawled.rows()
    assert [(row.label, row.reason) for row in rows] == [("cat", "in several classes"), ("dog", "in several classes")]
    assert len({row.file for row in rows}) == 2


def test_no_copy_of_a_test_image_is_kept_whatever_a_person_says(crawled: Crawled) -> None:
    test = crawled.root / "test" / "dog"
    test.mkdir(parents=True)
    (test / "dog.1.jpg").write_bytes(encoded(picture(5)))
    (test / "broken.jpg").write_bytes(b"\xff\xd8nothing")
    leak = crawled.add("dog", encoded(ImageOps.mirror(picture(5)).resize((200, 150)), quality=50))
    crawled.add("dog", encoded(picture(6)))
    for decisions in ({}, {leak.replace("/", "__"): "keep"}):
        rows = crawled.rows(**decisions)
        assert [row.reason for row in rows] == ["copy of a test image", ""]
        assert rows[0].detail == "of test/dog/dog.1.jpg"


def test_test_images_behind_a_link_are_compared_with_too(crawled: Crawled) -> None:
    elsewhere = crawled.root.with_name(f"{crawled.root.name} elsewhere")
    elsewhere.mkdir()
    (elsewhere / "dog.1.jpg").write_bytes(encoded(picture(5)))
    (crawled.root / "test").mkdir()
    (crawled.root / "test" / "dog").symlink_to(elsewhere)
    crawled.add("dog", encoded(picture(5), quality=50))
    assert [row.reason for row in crawled.rows()] == ["copy of a test image"]


def test_a_person_has_the_last_word(crawled: Crawled) -> None:
    first = crawled.add("cat", encoded(picture(1)))
    second = crawled.add("cat", encoded(picture(1).resize((240, 180))))
    third = crawled.add("cat", encoded(picture(3)))
    rows = crawled.rows(**{f"{second}.jpg".replace("/", "__"): "keep", third.rpartition("/")[2]: "drop"})
    assert [(row.decision, row.reason) for row in rows] == [("keep", ""), ("keep", ""), ("drop", "by hand")]
    assert rows[2].file == f"rejected/by hand/{third}.jpg"
    # what a dropped image has made superfluous shows the same, and stays away
    rows = crawled.rows(**{first.replace("/", "__"): "drop"})
    assert [row.reason for row in rows] == ["by hand", "near duplicate", ""]


def test_what_was_found_for_two_classes_is_kept_for_the_one_that_a_person_names(crawled: Crawled) -> None:
    data = encoded(picture(1))
    cat, _ = crawled.add("cat", data, "http://x.example/1"), crawled.add("dog", data, "http://x.example/2")
    rows = crawled.rows(**{cat.replace("/", "__"): "keep"})
    assert [(row.label, row.decision) for row in rows] == [("cat", "keep"), ("dog", "drop")]
    stem = cat.rpartition("/")[2]
    with pytest.raises(UserError, match=rf"{stem}: is in cat and dog; say which it shows, as in cat/{stem},keep"):
        crawled.rows(**{stem: "keep"})
    assert {row.reason for row in crawled.rows(**{stem: "drop"})} == {"by hand"}


def test_what_is_no_image_or_could_not_be_had_says_why(crawled: Crawled) -> None:
    crawled.add("cat", b"<html>", "http://x.example/a.jpg")
    crawled.add("cat", None, reason="too slow")
    crawled.finds.append(replace(crawled.finds[0], link=Link("http://x.example/z"), fetch=None))
    crawled.add("cat", encoded(picture(1).resize((40, 30))))
    crawled.add("cat", encoded(Image.new("RGB", (100, 100), "white"), "PNG"))
    rows = crawled.rows()
    assert [row.reason for row in rows] == ["not an image", "too slow", "not fetched yet", "too small", "blank"]
    assert [bool(row.file) for row in rows] == [True, False, False, True, True]
    assert summary_lines(rows)[:3] == [
        "class     found  fetched  kept  dropped",
        "cat           5        3     0        5",
        "together      5        3     0        5",
    ]


def test_a_manifest_is_read_as_it_was_written_and_its_fingerprint_leaves_times_aside(crawled: Crawled) -> None:
    crawled.add("cat", encoded(picture(1)), 'http://x.example/"odd",\u00e9\n name')
    crawled.add("dog", encoded(picture(2)))
    rows = crawled.rows()
    write_manifest(crawled.root, rows)
    assert read_manifest(crawled.root) == rows
    before = manifest_fingerprint(crawled.root)
    write_manifest(crawled.root, [replace(row, fetched="2020-01-01T00:00:00+00:00") for row in rows])
    assert manifest_fingerprint(crawled.root) == before
    write_manifest(crawled.root, rows[:1])
    assert manifest_fingerprint(crawled.root) != before
