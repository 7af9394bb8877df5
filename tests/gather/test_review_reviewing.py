"""A gathered set with strange images in it: they are listed and shown, and nothing else happens to the set."""

from __future__ import annotations

import csv
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from visionlab import cli
from visionlab.data.decode import BrokenImageError, decode
from visionlab.errors import UserError
from visionlab.gather import cleaning
from visionlab.gather.manifest import Row, read_manifest, write_manifest
from visionlab.gather.review import reviewing, sheets
from visionlab.gather.review.reviewing import review
from visionlab.gather.review.suspects import Suspect

Output = pytest.CaptureFixture[str]
HUES = {"cat": (200, 60, 60), "dog": (60, 60, 200), "cow": (60, 200, 60)}


def save(file: Path, hue: Sequence[int], number: int) -> None:
    """A picture of about one colour; those of a hue stand in a ring, so that none is farther out than the others."""
    file.parent.mkdir(parents=True, exist_ok=True)
    angle = 2 * np.pi * number / 15
    first, second = np.array([2, -1, -1]) / 6**0.5, np.array([0, 1, -1]) / 2**0.5
    level = np.array(hue) + 20 * (np.cos(angle) * first + np.sin(angle) * second)
    noise = np.random.default_rng([number, *hue]).integers(-9, 10, (72, 80, 3))
    Image.fromarray((level + noise).clip(0, 255).astype(np.uint8)).save(file)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifteen red cats and blue dogs each, with a blue one among the cats and a red one among the dogs."""
    folder = tmp_path_factory.mktemp("photos")
    for label, other in (("cat", "dog"), ("dog", "cat")):
        for number in range(14):
            save(folder / label / f"{number}.png", HUES[label], number)
        save(folder / label / "swapped.png", HUES[other], 14)
    return folder


class Colours(ModuleType):
    """Instead of the module with the network, which it takes seconds to import: an image is its mean colour.

    Attributes:
        calls: how many images were looked at in each call.
        meanwhile: what happens as they are.
    """

    def __init__(self) -> None:
        super().__init__("visionlab.gather.review.embeddings")
        self.calls: list[int] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def embed_all(self, files: Sequence[Path], cache: Path) -> list[np.ndarray | str]:
        self.meanwhile()
        self.calls.append(len(files))
        return [colour(file) for file in files]


def colour(file: Path) -> np.ndarray | str:
    try:
        return decode(file, 8, "rgb").mean(axis=(1, 2)).astype(np.float16)
    except BrokenImageError as error:
        return str(error)


@pytest.fixture(autouse=True)
def colours(monkeypatch: pytest.MonkeyPatch) -> Colours:
    module = Colours()
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def words(photos: Path) -> list[str]:
    folders = [f"gather.classes.{label}.folder={photos / label}" for label in ("cat", "dog")]
    return ["gather", "gather.sources=[]", *folders]


@pytest.fixture(scope="module")
def gathered(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data set as it is gathered; no picture counts as a copy of another."""
    data = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VISIONLAB_DATA", str(data))
        patch.setattr(cleaning, "find_duplicates", lambda signatures: [])
        cli.main(words(photos))
    return data / "catdog"


@pytest.fixture
def root(gathered: Path, home: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, for this test."""
    monkeypatch.setattr(cleaning, "find_duplicates", lambda signatures: [])
    capsys.readouterr()
    return Path(shutil.copytree(gathered, home / "data" / "catdog"))


def questions(root: Path) -> list[dict[str, str]]:
    with (root / "review" / "review.csv").open() as stream:
        return list(csv.DictReader(stream))


def name_of(root: Path, photo: str) -> str:
    """The file below `root` that the photo became."""
    return next(row.file for row in read_manifest(root) if row.image_url.endswith(photo))


def contents(root: Path) -> dict[str, bytes]:
    found = (file for file in root.rglob("*") if file.is_file() and "review" not in file.parts)
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in found if file.name != "lock"}


def decide(root: Path, decisions: dict[str, str]) -> None:
    """Write into the table what was decided about files."""
    rows = [row | {"decision": decisions.get(row["file"], "")} for row in questions(root)]
    with (root / "review" / "review.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def test_what_is_strange_is_listed_and_nothing_else_happens(root: Path, capsys: Output) -> None:
    before = contents(root)
    cli.main(["gather", "--review"])
    said = capsys.readouterr()
    found = questions(root)
    swapped = {name_of(root, "cat/swapped.png"): ("cat", "dog"), name_of(root, "dog/swapped.png"): ("dog", "cat")}
    assert {row["file"]: (row["class"], row["suggestion"]) for row in found} == swapped
    assert [row["kind"] for row in found] == ["mislabel"] * 2
    assert found[0]["score"] >= found[1]["score"]
    assert all(row["decision"] == "" and row["image_url"].startswith("file:") for row in found)
    assert contents(root) == before
    assert "30 images looked at, none dropped; probable mislabels: 2, outliers: 0" in said.out
    assert str(root / "review" / "review.csv") in said.out
    assert "`visionlab gather --offline`" in said.out
    with Image.open(root / "review" / "mislabels-01.png") as sheet:
        assert sheet.info["Title"] == "Probable mislabels, and → what they look like: 1 to 2 of 2"


def test_what_a_person_decides_is_done_by_the_next_gather_and_not_asked_again(
    root: Path, photos: Path, capsys: Output
) -> None:
    cli.main(["gather", "--review"])
    cat, dog = name_of(root, "cat/swapped.png"), name_of(root, "dog/swapped.png")
    decide(root, {cat: "drop", dog: "keep"})
    cli.main([*words(photos), "--offline"])
    assert "2 decisions moved from" in capsys.readouterr().out
    rows = {"/".join(row.image_url.split("/")[-2:]): row for row in read_manifest(root)}
    assert (rows["cat/swapped.png"].decision, rows["cat/swapped.png"].reason) == ("drop", "by hand")
    assert rows["dog/swapped.png"].decision == "keep"
    assert not (root / cat).exists()
    assert (root / dog).exists()
    cli.main(["gather", "--review"])
    assert "29 images looked at, none dropped; probable mislabels: 0, outliers: 0" in capsys.readouterr().out
    assert questions(root) == []
    assert list((root / "review").iterdir()) == [root / "review" / "review.csv"]


def test_an_answer_that_comes_meanwhile_is_not_lost(root: Path, colours: Colours) -> None:
    cli.main(["gather", "--review"])
    cat = name_of(root, "cat/swapped.png")
    (root / "review" / "my notes.txt").write_text("mine")
    colours.meanwhile = lambda: decide(root, {cat: "keep"})
    cli.main(["gather", "--review"])
    assert (root / "decisions.csv").read_text().splitlines()[1:] == ["/".join(cat.split("/")[-2:]) + ",keep"]
    assert [row["file"] for row in questions(root)] == [name_of(root, "dog/swapped.png")]
    assert (root / "review" / "my notes.txt").exists()


def test_what_cannot_be_read_is_named_and_the_rest_is_done(root: Path, capsys: Output) -> None:
    missing, broken = name_of(root, "cat/3.png"), name_of(root, "dog/4.png")
    (root / missing).unlink()
    (root / broken).write_bytes(b"no image")
    cli.main(["gather", "--review"])
    said = capsys.readouterr()
    assert f"1 images of the manifest are not there any more: {missing}; the next `visionlab gather` notes" in said.err
    assert f"1 images cannot be read, and are passed over: {broken} (not an image of a known kind)" in said.err
    assert "28 images looked at" in said.out
    assert len(questions(root)) == 2


def test_many_suspects_fill_several_sheets_but_not_hundreds(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    rows = [row for row in read_manifest(root) if row.decision == "keep"]
    suspects = [Suspect(i, "outlier", None, 0.9 - i / 100) for i in range(30)]
    monkeypatch.setattr(reviewing, "find_suspects", lambda *_: suspects)
    review(root, lambda: rows)
    assert [row["sheet"] for row in questions(root)] == ["outliers-01.png"] * 24 + ["outliers-02.png"] * 6
    with Image.open(root / "review" / "outliers-02.png") as sheet:
        assert sheet.info["Title"].endswith(": 25 to 30 of 30")
    monkeypatch.setattr(sheets, "SHEETS", 1)
    review(root, lambda: rows)
    assert [row["sheet"] for row in questions(root)] == ["outliers-01.png"] * 24 + [""] * 6
    assert [file.name for file in (root / "review").glob("*.png")] == ["outliers-01.png"]


def row_of(label: str, number: int) -> Row:
    values = dict.fromkeys(Row.__dataclass_fields__, "")
    return Row(**(values | {"file": f"train/{label}/{number}.png", "label": label, "decision": "keep"}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({}, r"expected images of two classes or more in train/, found none; gather more"),
        ({"cat": 30}, r"expected images of two classes or more in train/, found only cat; gather more"),
        ({"cat": 30, "dog": 9}, r"expected at least 10 images of each class, .* found 9 of dog; gather more"),
    ],
)
def test_too_little_to_compare_is_said(tmp_path: Path, colours: Colours, counts: dict[str, int], said: str) -> None:
    with pytest.raises(UserError, match=said):
        review(tmp_path, lambda: [row_of(label, number) for label in counts for number in range(counts[label])])
    assert colours.calls == []
    assert not list(tmp_path.iterdir())


def test_images_that_are_all_gone_are_too_few(root: Path) -> None:
    for number in range(6):
        (root / name_of(root, f"dog/{number}.png")).unlink()
    with pytest.raises(UserError, match=r"expected at least 10 readable images of each class, .* found 9 of dog"):
        review(root, lambda: read_manifest(root))
    assert not (root / "review").exists()


def test_a_wrong_word_is_told_before_the_images_are_looked_at(root: Path, colours: Colours) -> None:
    cli.main(["gather", "--review"])
    decide(root, {name_of(root, "cat/swapped.png"): "away"})
    colours.calls.clear()
    with pytest.raises(UserError, match="expected keep, drop or nothing"):
        review(root, lambda: read_manifest(root))
    assert colours.calls == []


def test_a_full_disk_is_one_line(root: Path, colours: Colours) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device", str(root / ".gather" / "embeddings"))

    colours.meanwhile = full
    with pytest.raises(UserError, match=r"embeddings: No space left on device; the same command goes on"):
        review(root, lambda: read_manifest(root))


def test_what_another_gather_changes_while_it_is_waited_for_counts(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setattr(reviewing, "at_work", gathering_anew(root, read_manifest(root)))
    cli.main(["gather", "--review"])
    said = capsys.readouterr()
    assert "28 images looked at, none dropped; probable mislabels: 0" in said.out
    assert said.err == ""


def gathering_anew(root: Path, rows: Sequence[Row]) -> Callable[[Path], AbstractContextManager[None]]:
    """The lock, which another process holds until it has dropped what is strange."""

    @contextmanager
    def at_work(_: Path) -> Iterator[None]:
        strange = [row for row in rows if row.image_url.endswith("swapped.png")]
        write_manifest(root, [replace(row, decision="drop") if row in strange else row for row in rows])
        for row in strange:
            (root / row.file).unlink()
        yield

    return at_work


def test_three_classes_are_told_apart(tmp_path: Path) -> None:
    rows = []
    for label, hue in HUES.items():
        for number in range(15):
            shown = HUES["cow"] if (label, number) == ("dog", 5) else hue
            save(tmp_path / "train" / label / f"{number}.png", shown, number)
            rows.append(row_of(label, number))
    review(tmp_path, lambda: rows)
    assert [(row["file"], row["suggestion"]) for row in questions(tmp_path)] == [("train/dog/5.png", "cow")]
