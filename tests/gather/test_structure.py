from __future__ import annotations

from pathlib import Path

import pytest

from tests.gather.pictures import encoded, picture
from visionlab.config.gather import AcceptConfig
from visionlab.gather import structure
from visionlab.gather.inspection import Unfit, inspect
from visionlab.gather.structure import TruncatedError

JPEG = encoded(picture(1, (64, 64)))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("end", [b"", b"\x00", b"\xd0"])
def test_a_row_of_ff_comes_to_an_end(end: bytes) -> None:
    with pytest.raises(TruncatedError):
        structure.check(JPEG[:-2] + b"\xff" * 5_000_000 + end, "JPEG")


@pytest.mark.parametrize("filling", [0, 1, 2, 7])
def test_any_number_of_ff_may_stand_before_a_marker(filling: int) -> None:
    data = JPEG[:-2] + filling * b"\xff" + b"\xff\xd9"
    assert structure.end_of_jpeg(data + b"more") == len(data) - 2
    assert structure.end_of_jpeg(b"\xff\xd8" + filling * b"\xff" + JPEG[2:]) == len(JPEG) - 2 + filling


@pytest.mark.timeout(20)
def test_exif_in_thousands_of_parts_comes_to_an_end(tmp_path: Path) -> None:
    part = b"\xff\xe1\x00\x12Exif\0\0" + b"\0" * 10
    data = encoded(picture(1))
    (tmp_path / "file").write_bytes(data[:2] + part * 500_000 + data[2:])
    with pytest.raises(Unfit, match="corrupt"):
        inspect(tmp_path / "file", AcceptConfig())
