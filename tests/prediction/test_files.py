"""Words become files in their order; each word that leads to none is said, in a line."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from visionlab.prediction.files import image_files


def found(*words: str | Path, lines: bytes = b"") -> tuple[list[str], list[str]]:
    """The files and the complaints."""
    complaints: list[str] = []
    files = [str(file) for file in image_files(map(str, words), io.BytesIO(lines), complaints.append)]
    return files, complaints


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the paths start from."""
    for name in ("photos/b.jpg", "photos/a.PNG", "photos/deep/er/c.webp", "photos/notes.txt", "photos/.hidden.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in ("single", "last.gif"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_files_and_folders_in_the_order_of_the_words(folder: Path) -> None:
    files, complaints = found("single", "photos/", folder / "last.gif", "single")
    photos = ["photos/a.PNG", "photos/b.jpg", "photos/deep/er/c.webp"]
    assert files == ["single", *photos, str(folder / "last.gif"), "single"]
    assert complaints == []


def test_standard_input_names_files_and_folders(folder: Path) -> None:
    files, complaints = found("single", "-", "last.gif", lines=b"photos/b.jpg\r\n\nphotos/deep\nphotos/a.PNG")
    assert files == ["single", "photos/b.jpg", "photos/deep/er/c.webp", "photos/a.PNG", "last.gif"]
    assert complaints == []


def test_names_of_any_bytes(folder: Path) -> None:
    name = b"photos/\xff \xc3\xa4.jpg"
    try:
        Path(os.fsdecode(name)).touch()
    except OSError:
        pytest.skip("this file system takes no such names")
    files, complaints = found("-", lines=name + b"\n")
    assert (list(map(os.fsencode, files)), complaints) == ([name], [])


@pytest.mark.parametrize("lines", [b"", b"\n\r\n"])
def test_an_empty_list(folder: Path, lines: bytes) -> None:
    assert found("-", lines=lines) == ([], ["-: expected a path on each line of standard input, found none"])


def test_what_leads_to_no_file_is_said_and_the_rest_done(folder: Path) -> None:
    (folder / "empty" / "deep").mkdir(parents=True)
    (folder / "empty" / "notes.txt").touch()
    files, complaints = found("nowhere/x.jpg", "last.gif", "empty", "-", lines=b"a\0b\nsingle\n")
    assert files == ["last.gif", "single"]
    assert complaints[0] == "nowhere/x.jpg: No such file or directory"
    assert complaints[1].startswith("empty: expected images in this folder (.bmp, .dib, ")
    assert complaints[1].endswith("), found none")
    assert complaints[2:] == ["a\0b: embedded null byte"]


def test_links_that_lead_back_are_followed_once(folder: Path) -> None:
    (folder / "photos" / "deep" / "back").symlink_to(folder / "photos")
    assert len(found("photos")[0]) == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read(folder: Path) -> None:
    (folder / "photos" / "deep").chmod(0)
    files, complaints = found("photos")
    (folder / "photos" / "deep").chmod(0o700)
    assert files == ["photos/a.PNG", "photos/b.jpg"]
    assert complaints == ["photos/deep: Permission denied"]


def test_files_are_found_while_they_are_asked_for(folder: Path) -> None:
    files = image_files(["photos", "-"], io.BytesIO(b"nowhere\n"), lambda line: pytest.fail(line))
    assert next(files) == Path("photos/a.PNG")  # standard input was not read yet
