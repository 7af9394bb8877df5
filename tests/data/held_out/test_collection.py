"""Zip files and folders of labelled images, whole, wrong, damaged and hostile."""

from __future__ import annotations

import os
import random
import stat
import zipfile
from pathlib import Path

import pytest

from tests.data.held_out.images import as_made, flat, in_folders, jpeg, unpacked, zipped
from visionlab.data.held_out import collection
from visionlab.data.held_out.collection import UnreadableError, opened
from visionlab.errors import UserError

LAYOUTS = [flat(), flat(""), in_folders(), in_folders(""), in_folders("", ("cat", "dog")), in_folders("a/b/")]


def images(path: Path, scratch: Path) -> dict[str, bytes]:
    """What can be copied out of a collection."""
    found = {}
    with opened(path, scratch) as whole:
        whole.check()
        for entry in whole.entries:
            whole.copy(entry, scratch / "one")
            found[entry.target] = (scratch / "one").read_bytes()
    return found


def mistake(path: Path, scratch: Path) -> str:
    with pytest.raises(UserError) as caught, opened(path, scratch) as whole:
        whole.check()
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


@pytest.mark.parametrize("files", LAYOUTS, ids=lambda files: next(iter(files)))
def test_layouts(files: dict[str, bytes], tmp_path: Path, scratch: Path) -> None:
    archive, folder = zipped(tmp_path / "a.zip", files), unpacked(tmp_path / "folder", files)
    assert images(archive, scratch) == as_made(files)
    assert images(folder, scratch) == as_made(files)
    contents = set()
    for path in (archive, folder):
        with opened(path, scratch) as whole:
            contents.add(whole.content())
    assert len(contents) == 1, "the same images are the same content, zipped or not"


def test_content_is_of_labels_names_and_bytes(tmp_path: Path, scratch: Path) -> None:
    files = flat()
    variants = [
        files,
        files | {"train/cat.0.jpg": jpeg(77)},
        {name.replace("cat.0", "cat.9"): image for name, image in files.items()},
        {name: image for name, image in files.items() if "cat.0" not in name},
        in_folders("", ("cat", "dog")),
    ]
    contents = set()
    for number, variant in enumerate(variants):
        with opened(zipped(tmp_path / f"{number}.zip", variant), scratch) as whole:
            contents.add(whole.content())
    assert len(contents) == len(variants)


def test_the_archive_of_the_whole_competition(tmp_path: Path, scratch: Path) -> None:
    inner, unlabelled = zipped(tmp_path / "train.zip", flat()), zipped(tmp_path / "t", {"test1/1.jpg": jpeg(1)})
    members = {"sampleSubmission.csv": b"id", "test1.zip": unlabelled.read_bytes(), "train.zip": inner.read_bytes()}
    assert images(zipped(tmp_path / "dogs-vs-cats.zip", members), scratch) == as_made(flat())
    damaged = zipped(tmp_path / "damaged.zip", members | {"train.zip": inner.read_bytes()[:-30]})
    assert "train.zip: expected a zip file, found a damaged one" in mistake(damaged, scratch)


def test_what_lies_beside_the_images_is_nobodys_concern(tmp_path: Path, scratch: Path) -> None:
    beside = {"readme.txt": b"x", "PetImages/Cat/Thumbs.db": b"x", "__MACOSX/PetImages/Cat/._0.jpg": b"x"}
    assert images(zipped(tmp_path / "a.zip", in_folders() | beside), scratch) == as_made(in_folders())
    folder = unpacked(tmp_path / "folder", in_folders() | beside | {".cache/Cat/9.jpg": jpeg(9)})
    os.mkfifo(folder / "PetImages/Cat/pipe.jpg")  # opening it would wait for ever
    assert images(folder, scratch) == as_made(in_folders())


def test_links_in_a_folder_are_followed(tmp_path: Path, scratch: Path) -> None:
    elsewhere = unpacked(tmp_path / "elsewhere", in_folders(""))
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("Cat", "Dog"):
        (folder / name).symlink_to(elsewhere / name)
    (folder / "loop").symlink_to(folder)
    assert images(folder, scratch) == as_made(in_folders(""))


def test_members_that_would_escape_are_left_out(tmp_path: Path, scratch: Path) -> None:
    evil = {"../cat/a.jpg": jpeg(1), "/cat/b.jpg": jpeg(1), "..\\..\\dog\\c.jpg": jpeg(1), "cat/\x1b[2J.jpg": jpeg(1)}
    path = zipped(tmp_path / "a.zip", flat() | evil)
    with zipfile.ZipFile(path, "a") as file:
        link = zipfile.ZipInfo("cat/link.jpg")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
    assert images(path, scratch) == as_made(flat())
    with opened(path, scratch) as whole:
        assert whole.left_out == {
            "../cat/a.jpg": "a path that leads out of the archive",
            "/cat/b.jpg": "an absolute path",
            "..\\..\\dog\\c.jpg": "a path that leads out of the archive",
            "'cat/\\x1b[2J.jpg'": "a name with unprintable characters",
            "cat/link.jpg": "a link",
        }


def test_a_bomb_among_the_members_is_left_out(tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection, "LARGEST_MEMBER", 1_000_000)
    path = zipped(tmp_path / "a.zip", flat() | {"cat.9.jpg": bytes(5_000_000)})
    assert path.stat().st_size < 20_000
    assert images(path, scratch) == as_made(flat())
    with opened(path, scratch) as whole:
        assert whole.left_out == {"cat.9.jpg": "would unpack to 5 MB"}


def test_a_bomb_of_many_members_is_refused(tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection, "LARGEST_ZIP", 3_000_000)
    members = {f"cat.{number}.jpg": bytes(1_000_000) for number in range(4)}
    path = zipped(tmp_path / "a.zip", flat() | members)
    assert mistake(path, scratch).endswith("would unpack to 0.0 GB, more than 0 GB")
    outer = zipped(tmp_path / "outer.zip", {"train.zip": bytes(4_000_000)})
    assert "would unpack to" in mistake(outer, scratch)
    assert list(scratch.iterdir()) == []


def test_a_member_that_lies_about_its_size_gives_no_more_than_it_says(tmp_path: Path, scratch: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, image in flat().items():
            file.writestr(name, image)
        file.writestr("cat.9.jpg", bytes(5_000_000))
        file.filelist[-1].file_size = 1000
    with opened(path, scratch) as whole:
        (liar,) = [entry for entry in whole.entries if entry.path == "cat.9.jpg"]
        with pytest.raises(UnreadableError, match="CRC"):
            whole.copy(liar, scratch / "one")
    assert (scratch / "one").stat().st_size <= 1000


def test_damaged_and_encrypted_members_are_told_apart_from_the_machine(tmp_path: Path, scratch: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name, image in flat().items():
            file.writestr(name, image)
        file.filelist[1].flag_bits |= 1
        file.filelist[2].compress_type = 97
        damaged = file.filelist[0].header_offset + 60
    whole_bytes = bytearray(path.read_bytes())
    whole_bytes[damaged] ^= 255
    path.write_bytes(whole_bytes)
    with opened(path, scratch) as whole:
        for entry, words in zip(whole.entries, ("CRC", "encrypted", "not supported"), strict=False):
            with pytest.raises(UnreadableError, match=words):
                whole.copy(entry, scratch / "one")
        with pytest.raises(FileNotFoundError):
            whole.copy(whole.entries[3], scratch / "nowhere" / "one")


def test_whatever_is_damaged_no_other_exception_comes_out(tmp_path: Path, scratch: Path) -> None:
    good = zipped(tmp_path / "good.zip", flat()).read_bytes()
    path, chance = tmp_path / "bad.zip", random.Random(0)
    outcomes = set()
    for _ in range(150):
        bad = bytearray(good)
        # the directory at the end has most that can go wrong
        for _ in range(chance.randint(1, 4)):
            bad[chance.choice((chance.randrange(len(bad)), -1 - chance.randrange(400)))] = chance.randrange(256)
        path.write_bytes(bad)
        try:
            with opened(path, scratch) as whole:
                for entry in whole.entries:
                    try:
                        whole.copy(entry, scratch / "one")
                        outcomes.add("copied")
                    except UnreadableError:
                        outcomes.add("unreadable")
        except UserError:
            outcomes.add("refused")
    assert outcomes == {"copied", "unreadable", "refused"}
    assert {file.name for file in scratch.iterdir()} == {"one"}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (
            {"test1/1.jpg": b"", "test1/2.jpg": b""},
            "found 2 images without a label; of the competition it is train.zip",
        ),
        ({"readme.txt": b""}, "found no image with a label"),
        ({"train/cat.0.jpg": b"", "train/cat.1.jpg": b""}, "found 2 cats and no dog"),
        ({"Dog/1.jpg": b""}, "found 1 dogs and no cat"),
        (in_folders("a/") | in_folders("b/"), "expected one cat/0.jpg, given a/Cat/0.jpg and b/Cat/0.jpg"),
    ],
)
def test_collections_that_are_none(files: dict[str, bytes], words: str, tmp_path: Path, scratch: Path) -> None:
    archive, folder = zipped(tmp_path / "a.zip", files), unpacked(tmp_path / "folder", files)
    for path in (archive, folder):
        said = mistake(path, scratch)
        assert said.startswith(f"{path}: expected")
        assert words in said


def test_a_folder_with_the_zip_in_it_says_where(tmp_path: Path, scratch: Path) -> None:
    zipped(tmp_path / "folder" / "train.zip", flat())
    assert mistake(tmp_path / "folder", scratch).endswith(f"--from {tmp_path}/folder/train.zip takes those in it")


def test_files_that_are_none(tmp_path: Path, scratch: Path) -> None:
    good = zipped(tmp_path / "good.zip", flat()).read_bytes()
    found = {
        b"\n <!doctype html><p>sign in": "found a web page; download it again",
        b"Rar!": "found another kind of file",
        b"": "found another kind of file",
        good[: len(good) // 2]: "found a damaged one, or a part of one",
    }
    path = tmp_path / "a.zip"
    for start, words in found.items():
        path.write_bytes(start)
        assert words in mistake(path, scratch)
    assert mistake(tmp_path / "none", scratch) == f"{tmp_path}/none: expected a zip file or a folder, found nothing"
    assert mistake(Path("/dev/null"), scratch).endswith("found neither")
