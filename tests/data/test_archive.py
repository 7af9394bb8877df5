"""What belongs to a data set, and what is said about a folder that does not hold it."""

from __future__ import annotations

import pytest

from visionlab.errors import DamagedDataError, DataUnavailableError

FILES = {"batches.meta": b"names", "data_batch_1": b"images"}


@pytest.fixture
def archive(make_archive):
    return make_archive(FILES)[0]


@pytest.fixture
def folder(tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_whole_folder_passes(archive, folder):
    (folder / "readme.html").touch()
    assert archive.check_sizes(folder) is None
    assert archive.check_content(folder) is None


def test_files_missing_or_cut_off_are_named(archive, folder):
    (folder / "batches.meta").unlink()
    (folder / "data_batch_1").write_bytes(b"imag")
    with pytest.raises(DamagedDataError) as caught:
        archive.check_sizes(folder)
    faults, advice = str(caught.value).splitlines()
    assert faults == f"Tiny: {folder} is damaged: batches.meta is missing, data_batch_1 has 4 bytes instead of 6."
    assert "Delete that folder and start again" in advice


def test_altered_file_is_named(archive, folder):
    (folder / "data_batch_1").write_bytes(b"imagos")
    archive.check_sizes(folder)
    with pytest.raises(DamagedDataError, match=r"damaged: data_batch_1 has another content"):
        archive.check_content(folder)


def test_archive_is_known_by_its_content(make_archive, tmp_path):
    archive, tar = make_archive(FILES)
    path = tmp_path / archive.filename
    assert not archive.is_published(path)
    path.write_bytes(tar[:-1] + bytes([tar[-1] ^ 1]))
    assert not archive.is_published(path)
    path.write_bytes(tar)
    assert archive.is_published(path)


def test_archive_that_would_write_elsewhere_is_refused(make_archive, tmp_path):
    archive, tar = make_archive({"batches.meta": b"names", "../../escaped": b"evil"})
    path = tmp_path / archive.filename
    path.write_bytes(tar)
    with pytest.raises(DataUnavailableError, match=r"tiny\.tar\.gz cannot be unpacked: .*outside the destination"):
        archive.unpack(path, tmp_path / "into")
    assert not list(tmp_path.rglob("escaped"))
