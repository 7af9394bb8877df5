from __future__ import annotations

import imagehash
import numpy as np
import pytest
from PIL import Image

from tests.gather.pictures import cropped, mirrored, picture
from visionlab.gather.signature import COLUMNS, MIRRORED, PLAIN, WHOLE, Signatures, sign

PICTURE = picture(5)


def distance(first: np.uint64, second: np.uint64) -> int:
    return int(np.bitwise_count(first ^ second))


def test_shapes_and_size() -> None:
    found = sign(PICTURE)
    assert found.hashes.shape == (len(COLUMNS),)
    assert found.hashes.dtype == np.uint64
    assert found.thumbnail.shape == (32, 32, 3)
    assert found.thumbnail.dtype == np.uint8
    assert found.hashes.nbytes + found.thumbnail.nbytes < 4000


def test_the_hash_is_that_of_imagehash_written_as_it_writes_it() -> None:
    expected = imagehash.phash(PICTURE.resize((64, 64), Image.Resampling.BICUBIC))
    found = imagehash.hex_to_hash(f"{sign(PICTURE).hashes[PLAIN]:016x}")
    assert found - expected <= 2
    assert imagehash.phash(PICTURE) - found <= 2


def test_the_second_hash_is_that_of_the_mirror_image() -> None:
    plain, other = sign(PICTURE).hashes, sign(mirrored(PICTURE)).hashes
    assert distance(plain[MIRRORED], other[PLAIN]) <= 2
    assert distance(plain[PLAIN], other[MIRRORED]) <= 2
    assert distance(plain[PLAIN], other[PLAIN]) > 10


@pytest.mark.parametrize("column", range(2, len(COLUMNS)))
def test_the_other_hashes_are_those_of_parts(column: int) -> None:
    left, top, right, bottom = COLUMNS[column]
    extent = right - left
    assert bottom - top == pytest.approx(extent)
    part = cropped(PICTURE, extent, left / (1 - extent), top / (1 - extent))
    assert distance(sign(part).hashes[PLAIN], sign(PICTURE).hashes[column]) <= 4


def test_every_part_is_another_and_lies_within() -> None:
    assert len(set(COLUMNS[1:])) == len(COLUMNS) - 1
    assert COLUMNS[0] == COLUMNS[1] == WHOLE
    assert all(
        0 <= low < high <= 1 for left, top, right, bottom in COLUMNS for low, high in [(left, right), (top, bottom)]
    )


def test_the_thumbnail_is_the_whole_image() -> None:
    image = Image.new("RGB", (400, 100), (10, 20, 30))
    image.paste((200, 100, 50), (200, 0, 400, 100))
    thumbnail = sign(image).thumbnail
    assert (thumbnail[:, :14] == (10, 20, 30)).all()
    assert (thumbnail[:, 18:] == (200, 100, 50)).all()


def test_signatures_stand_in_order() -> None:
    signatures = [sign(picture(seed)) for seed in range(3)]
    found = Signatures.of(signatures)
    assert len(found) == 3
    assert (found.hashes[2] == signatures[2].hashes).all()
    assert (found.thumbnails[1] == signatures[1].thumbnail).all()


def test_no_signatures_are_signatures() -> None:
    none = Signatures.of([])
    assert len(none) == 0
    assert none.hashes.shape == (0, len(COLUMNS))
    assert none.thumbnails.shape == (0, 32, 32, 3)
