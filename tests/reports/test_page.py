"""A page holds all that it shows, and nothing that is written into it becomes markup."""

from __future__ import annotations

import base64
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.figures.made import ODD_NAMES
from visionlab.figures.files import drawing
from visionlab.reports.page import (
    Block,
    Code,
    Facts,
    Folded,
    Headline,
    Picture,
    Section,
    Table,
    Text,
    folded_if_long,
    render,
)


class Reader(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_what_is_written_into_a_page_is_text(name: str) -> None:
    blocks: list[Block] = [
        Text(name),
        Headline([(name, name)]),
        Facts([(name, name)]),
        Facts([(name, name)], code=True),
        Table([name], [[name]]),
        Code(name),
        Folded(name, [Text(name)]),
    ]
    page = Reader(render(name, name, [Section(name, blocks)], badge=name))
    plain = Reader(render("a", "a", [Section("a", [*_same(blocks)])], badge="a"))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]
    assert sum(name.strip() in text for text in page.texts) >= 15


def _same(blocks: list[Block]) -> list[Block]:
    pairs = [("a", "a")]
    same = [Text("a"), Headline(pairs), Facts(pairs), Facts(pairs, code=True), Table(["a"], [["a"]]), Code("a")]
    assert [type(block) for block in [*same, Folded("a", [])]] == [type(block) for block in blocks]
    return [*same, Folded("a", [Text("a")])]


def test_a_picture_is_inside_the_page_with_its_title_for_those_who_cannot_see_it(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    with drawing(file, "Cats <and> dogs", 4, 3) as figure:
        figure.subplots().plot([1, 2])
    page = Reader(render("t", "l", [Section("s", [Picture(file, "a caption")])]))
    ((_, image),) = [(tag, attributes) for tag, attributes in page.tags if tag == "img"]
    kind, _, content = (image["src"] or "").partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(content) == file.read_bytes()
    assert image["alt"] == "Cats <and> dogs"
    assert (image["width"], image["height"]) == ("384", "288")
    assert "a caption" in page.texts


def test_a_section_without_blocks_is_left_out() -> None:
    html = render("t", "l", [Section("empty", []), Section("full", [Text("a")])])
    assert "full" in html
    assert "empty" not in html


def test_only_long_tables_are_folded() -> None:
    short, long = (Table(["a"], [["1"]] * rows) for rows in (30, 31))
    assert folded_if_long(short, "rows") is short
    assert folded_if_long(long, "rows") == Folded("rows (31)", [long])


def test_columns_of_words_and_of_numbers_are_told_apart() -> None:
    page = Reader(render("t", "l", [Section("s", [Table(["a", "b", "c"], [["x", "y", "1"]], text_columns=2)])]))
    cells = [attributes.get("class") for tag, attributes in page.tags if tag in ("th", "td")]
    assert cells == ["words", "words", None] * 2
