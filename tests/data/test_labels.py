from __future__ import annotations

from pathlib import Path

import pytest

from visionlab.data.image_file import ImageFile
from visionlab.data.labels import read_labels
from visionlab.errors import UserError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png", "sub/c.png", "ä, ö.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def table(root: Path, text: str, encoding: str = "utf-8") -> Path:
    file = root / "labels.csv"
    file.write_bytes(text.encode(encoding))
    return file


def test_all_columns(root: Path) -> None:
    file = table(root, "file,label,group,split\na.png,cat,p1,train\nb.png,dog,,val\nsub/c.png,cat,p2,test\n")
    assert read_labels(file) == [
        ImageFile("a.png", "cat", "train", "p1"),
        ImageFile("b.png", "dog", "val", None),
        ImageFile("sub/c.png", "cat", "test", "p2"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "file,label\na.png,cat\nb.png,dog\n",
        "path,class\na.png,cat\nb.png,dog",
        "Label , Filename\n cat, a.png \n dog, b.png \n",
        "file;label\r\na.png;cat\r\n\r\nb.png;dog\r\n",
        "id\tfile\tlabel\n1\t./a.png\tcat\n2\tb.png\tdog\n",
        '\ufefffile,label\n"a.png","cat"\n"b.png","dog"\n,\n',
    ],
)
def test_spellings_of_the_same_table(root: Path, text: str) -> None:
    assert read_labels(table(root, text)) == [ImageFile("a.png", "cat"), ImageFile("b.png", "dog")]


def test_names_may_hold_the_separator_and_be_absolute(root: Path) -> None:
    files = read_labels(table(root, f'file,label\n"ä, ö.png",cat\n{root / "a.png"},dog\n'))
    assert [file.path for file in files] == ["ä, ö.png", str(root / "a.png")]


@pytest.mark.parametrize("name", ["train", "Training", "VAL", "valid", "validation", "test"])
def test_names_of_splits(root: Path, name: str) -> None:
    (file,) = read_labels(table(root, f"file,label,split\na.png,cat,{name}\n"))
    assert file.split == {"tr": "train", "va": "val", "te": "test"}[name[:2].lower()]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a column file or path or filename, found none"),
        ("image,label\na.png,cat\n", "expected a column file or path or filename, found image, label"),
        ("file,kind\na.png,cat\n", "expected a column label or class, found file, kind"),
        ("file,label\na.png,cat\n\nb.png,\n", "line 4: empty label"),
        ("file,label\na.png\n", "line 2: empty label"),
        ("file,label\n,cat\n", "line 2: empty file name"),
        ("file,label\na.png,cat\ngone.png,cat\n", "line 3: no such file: gone.png"),
        ("file,label\na.png,cat\n./a.png,dog\n", "line 3: a.png stands on line 2 already"),
        ("file,label,split\na.png,cat,dev\n", "line 2: split: expected train, val or test, given 'dev'"),
        ("file,label,split\na.png,cat,\n", "line 2: split: expected train, val or test, given ''"),
        ("file,label,group,split\na.png,cat,p,train\nb.png,cat,p,test\n", "group 'p' is in train and in test"),
        ("file,label,group\na.png,cat,p\nb.png,cat\n", "line 3: no group: expected 3 values or more, found 2"),
    ],
)
def test_mistakes_are_told_with_their_line(root: Path, text: str, message: str) -> None:
    file = table(root, text)
    with pytest.raises(UserError) as caught:
        read_labels(file)
    assert str(caught.value) == f"{file}: {message}"


def test_many_mistakes_are_counted(root: Path) -> None:
    file = table(root, "file,label\n" + "".join(f"{i}.png,cat\n" for i in range(100)))
    with pytest.raises(UserError, match=r"line 2: .*; line 3: .*; line 4: no such file: 2.png; and 97 more$"):
        read_labels(file)


def test_another_encoding_is_told(root: Path) -> None:
    with pytest.raises(UserError, match=r"labels.csv: expected UTF-8, found byte 0xe4"):
        read_labels(table(root, "file,label\nä.png,cat\n", "latin-1"))
