from __future__ import annotations

import pytest

from tests.gather.pictures import encoded, picture
from visionlab.gather import structure
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
