from __future__ import annotations

import errno
import io
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.gather.pictures import animated, bomb, cmyk, decoded, encoded, picture, rotated_by_exif, sixteen_bits
from visionlab.config.gather import AcceptConfig
from visionlab.data.decode import BrokenImageError, decode
from visionlab.data.listing import SUFFIXES
from visionlab.gather import inspection
from visionlab.gather.inspection import Inspection, Unfit, inspect, look

ACCEPT = AcceptConfig()
PICTURE = picture(1, (120, 90))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Without a suffix, as fetched files lie there."""
    return tmp_path / "file"


def judged(file: Path, data: bytes, accept: AcceptConfig = ACCEPT) -> Inspection | str:
    file.write_bytes(data)
    try:
        return inspect(file, accept)
    except Unfit as unfit:
        return str(unfit)


@pytest.mark.parametrize(
    ("form", "suffix"),
    [("JPEG", ".jpg"), ("PNG", ".png"), ("WEBP", ".webp"), ("GIF", ".gif"), ("BMP", ".bmp"), ("TIFF", ".tif")],
)
def test_the_kind_is_told_by_the_content(tmp_path: Path, form: str, suffix: str) -> None:
    found = judged(tmp_path / "wrong.pdf", encoded(PICTURE, form))
    assert isinstance(found, Inspection)
    assert (found.format, found.suffix, found.width, found.height) == (form, suffix, 120, 90)
    assert suffix in SUFFIXES  # or the data set would not list it


def test_a_stereo_jpeg_is_a_jpeg(file: Path) -> None:
    found = judged(file, encoded(PICTURE, "MPO", save_all=True, append_images=[picture(2, (120, 90))]))
    assert isinstance(found, Inspection)
    assert (found.format, found.suffix) == ("JPEG", ".jpg")


def test_the_pages_of_a_tiff_do_not_move(file: Path) -> None:
    assert isinstance(judged(file, encoded(PICTURE, "TIFF", save_all=True, append_images=[PICTURE])), Inspection)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"<!doctype html><title>404</title>" * 9,
        b"<svg xmlns='http://www.w3.org/2000/svg'></svg>",
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n",
        pytest.param(os.urandom(64), id="noise"),
    ],
)
def test_what_is_no_image(file: Path, data: bytes) -> None:
    assert judged(file, data) == "not an image"


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("JPEG", {"restart_marker_rows": 1}),
        ("PNG", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
    ],
)
def test_a_file_that_was_cut_anywhere_is_told(file: Path, form: str, options: dict[str, object]) -> None:
    data = encoded(PICTURE, form, **options)
    assert isinstance(judged(file, data), Inspection)
    lengths = {*range(16, len(data), len(data) // 40), *range(len(data) - 12, len(data))}
    assert {judged(file, data[:length]) for length in lengths} == {"truncated"}


@pytest.mark.filterwarnings("ignore::UserWarning")  # of a damaged TIFF
@pytest.mark.parametrize(
    ("form", "options"), [("GIF", {}), ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "jpeg"})]
)
def test_a_cut_file_of_another_kind_is_not_kept(file: Path, form: str, options: dict[str, object]) -> None:
    data = encoded(PICTURE, form, **options)
    found = {judged(file, data[:length]) for length in range(16, len(data) - 2, len(data) // 40)}
    assert found <= {"truncated", "corrupt"}


@pytest.mark.parametrize("options", [{}, {"restart_marker_rows": 1}])
def test_a_jpeg_that_was_cut_and_closed_is_told(file: Path, options: dict[str, object]) -> None:
    data = encoded(PICTURE, **options)
    image = Image.open(io.BytesIO(data[: len(data) // 2] + b"\xff\xd9"))
    image.load()  # the decoder makes the missing pixels grey and says nothing
    for length in range(len(data) // 3, len(data) - 300, 200):
        assert judged(file, data[:length] + b"\xff\xd9") in ("truncated", "corrupt"), length


def test_a_whole_jpeg_may_end_in_the_grey_of_missing_pixels(file: Path) -> None:
    image = PICTURE.copy()
    image.paste((128, 128, 128), (0, 60, 120, 90))
    assert isinstance(judged(file, encoded(image)), Inspection)


def test_bytes_behind_the_end_of_a_jpeg_do_no_harm(file: Path) -> None:
    assert isinstance(judged(file, encoded(PICTURE) + b"more than an image"), Inspection)


def test_the_preview_in_a_jpeg_is_not_taken_for_its_end(file: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = encoded(PICTURE.resize((16, 16))).decode("latin-1")
    data = encoded(PICTURE, exif=exif)
    assert isinstance(judged(file, data), Inspection)
    assert judged(file, data[:-200]) == "truncated"


def test_a_wrong_checksum_of_a_png_is_told_wherever_it_is(file: Path) -> None:
    data = encoded(PICTURE, "PNG")
    for place in range(40, len(data) - 16, len(data) // 40):
        changed = bytearray(data)
        changed[place] ^= 0x10
        assert judged(file, bytes(changed)) in ("corrupt", "truncated"), place
    pixels = bytearray(data)
    pixels[len(data) // 2] ^= 0x10
    assert judged(file, bytes(pixels)) == "corrupt"


def test_a_header_that_cannot_be_is_told(file: Path) -> None:
    assert judged(file, b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(40) + b"\xff\xd9") == "corrupt"


def test_a_bomb_is_told_by_its_header(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "_decode", None)  # nothing of it is decoded
    assert judged(file, bomb()) == "decompression bomb"


def test_the_limit_of_pixels_is_the_setting_not_pillows(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    data = encoded(PICTURE, "PNG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isinstance(judged(file, data, AcceptConfig(max_megapixels=0.0108)), Inspection)
        assert judged(file, data, AcceptConfig(max_megapixels=0.0107)) == "decompression bomb"
    assert Image.MAX_IMAGE_PIXELS == 100


@pytest.mark.parametrize(
    ("size", "fits"), [((64, 256), True), ((63, 64), False), ((64, 257), False), ((257, 64), False)]
)
def test_sides_and_aspect(file: Path, size: tuple[int, int], fits: bool) -> None:
    found = judged(file, encoded(picture(2, size), "PNG"))
    assert isinstance(found, Inspection) if fits else found == ("too small" if 63 in size else "extreme aspect")


@pytest.mark.parametrize("color", ["white", "black", "grey", (20, 200, 90)])
def test_one_colour_all_over_is_blank(file: Path, color: str) -> None:
    image = Image.new("RGB", (100, 100), color)
    assert judged(file, encoded(image, "PNG")) == "blank"
    assert judged(file, encoded(image, quality=30)) == "blank"


def test_transparency_all_over_is_blank_whatever_lies_below(file: Path) -> None:
    image = PICTURE.copy()
    image.putalpha(0)
    assert judged(file, encoded(image, "PNG")) == "blank"


def test_a_picture_without_contrast_is_not_blank(file: Path) -> None:
    night = PICTURE.point(lambda level: level // 20)
    assert isinstance(judged(file, encoded(night, "PNG")), Inspection)


@pytest.mark.parametrize("form", ["GIF", "WEBP"])
def test_what_moves_is_told(file: Path, form: str) -> None:
    assert judged(file, animated(3, form)) == "animated"


def test_a_moving_png_is_told(file: Path) -> None:
    data = encoded(PICTURE, "PNG", save_all=True, append_images=[picture(2, (120, 90))])
    assert judged(file, data) == "animated"


def test_the_pixel_hash_is_of_the_picture_not_of_the_file(file: Path) -> None:
    found = [judged(file, encoded(PICTURE, form)) for form in ("PNG", "BMP", "TIFF")]
    hashes = {one.pixel_hash for one in found if isinstance(one, Inspection)}
    assert len(found) == 3
    assert len(hashes) == 1
    assert len(hashes.pop()) == 32
    others = [picture(2, (120, 90)), PICTURE.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    assert len({one.pixel_hash for one in found + [judged(file, encoded(o, "PNG")) for o in others]}) == 3


def test_the_pixel_hash_knows_the_shape(file: Path) -> None:
    pixels = np.asarray(PICTURE)
    found = [judged(file, encoded(Image.fromarray(pixels.reshape(-1, width, 3)), "PNG")) for width in (120, 90)]
    wide, tall = (one.pixel_hash for one in found if isinstance(one, Inspection))
    assert wide != tall


def test_pixels_are_taken_upright(file: Path) -> None:
    data = rotated_by_exif(PICTURE)
    found = judged(file, data)
    assert isinstance(found, Inspection)
    assert (found.width, found.height) == (120, 90)
    turned = decoded(data).transpose(Image.Transpose.ROTATE_270)
    upright = judged(file, encoded(turned, "PNG"))
    assert isinstance(upright, Inspection)
    assert found.pixel_hash == upright.pixel_hash


@pytest.mark.parametrize("form", ["cmyk", "sixteen bits", "palette", "grey"])
def test_other_pixels_than_rgb(file: Path, form: str) -> None:
    data = {
        "cmyk": lambda: cmyk(PICTURE),
        "sixteen bits": lambda: sixteen_bits(PICTURE),
        "palette": lambda: encoded(PICTURE.quantize(64), "PNG"),
        "grey": lambda: encoded(PICTURE.convert("L"), "PNG"),
    }[form]()
    plain = PICTURE if form in ("cmyk", "palette") else PICTURE.convert("L").convert("RGB")
    found, expected = judged(file, data), judged(file, encoded(plain, "PNG"))
    assert isinstance(found, Inspection)
    assert isinstance(expected, Inspection)
    difference = found.signature.thumbnail.astype(float) - expected.signature.thumbnail
    assert np.abs(difference).mean() < 12


def test_a_file_that_is_not_there_is_no_verdict(file: Path) -> None:
    with pytest.raises(FileNotFoundError):
        inspect(file, ACCEPT)


def test_a_machine_that_fails_is_no_verdict(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(image: Image.Image) -> Image.Image:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(inspection, "opaque", fail)
    with pytest.raises(OSError, match="Too many open files"):
        judged(file, encoded(PICTURE))


def seen(file: Path, data: bytes) -> Inspection | str:
    file.write_bytes(data)
    try:
        return look(file)
    except Unfit as unfit:
        return str(unfit)


SQUARE, OTHER = picture(1, (96, 96)), picture(2, (96, 96))
PNG = encoded(SQUARE, "PNG")
MOVING = {"save_all": True, "append_images": [OTHER], "duration": 80}
UNFIT = {
    "GIF that moves": encoded(SQUARE, "GIF", **MOVING),
    "WebP that moves": encoded(SQUARE, "WEBP", **MOVING),
    "PNG that moves": encoded(SQUARE, "PNG", **MOVING),
    "JPEG cut in half and closed": encoded(SQUARE)[: len(encoded(SQUARE)) // 2] + b"\xff\xd9",
    "PNG without end": PNG[:-12],
    "PNG with a wrong checksum": PNG[:-16] + bytes(4) + PNG[-12:],
    "blank": encoded(Image.new("RGB", (96, 96), "white"), "PNG"),
    "small": encoded(SQUARE.resize((12, 12)), "PNG"),
} | {form: encoded(SQUARE, form) for form in ("PPM", "JPEG2000", "TGA", "PCX", "SGI")}


@pytest.mark.parametrize("form", UNFIT)
def test_what_is_looked_at_is_what_is_trained_on(file: Path, form: str) -> None:
    assert isinstance(judged(file, UNFIT[form]), str)
    found = look(file)
    # of a square at its own size nothing is cut off and nothing scaled
    pixels = decode(file, found.width, "rgb")
    assert found.pixel_hash == inspection._pixel_hash(Image.fromarray(pixels.transpose(1, 2, 0)))
    assert found.format == form or form not in Image.SAVE


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "turned", "cmyk", "sixteen bits"])
def test_of_what_is_kept_a_look_tells_the_same(file: Path, form: str) -> None:
    special = {"turned": rotated_by_exif, "cmyk": cmyk, "sixteen bits": sixteen_bits}
    data = special[form](PICTURE) if form in special else encoded(PICTURE, form)
    strict, lenient = judged(file, data), seen(file, data)
    assert isinstance(strict, Inspection)
    assert isinstance(lenient, Inspection)
    assert lenient.pixel_hash == strict.pixel_hash
    assert (lenient.width, lenient.height, lenient.format) == (strict.width, strict.height, strict.format)
    assert (lenient.signature.hashes == strict.signature.hashes).all()
    assert (lenient.signature.thumbnail == strict.signature.thumbnail).all()


@pytest.mark.parametrize("data", [b"", b"<html>", encoded(PICTURE)[:-200], encoded(PICTURE, "PNG")[:-200], bomb()])
def test_what_cannot_be_looked_at_cannot_be_trained_on(file: Path, data: bytes) -> None:
    assert seen(file, data) in ("not an image", "truncated", "decompression bomb")
    with pytest.raises(BrokenImageError):
        decode(file, 16, "rgb")


def test_to_look_at_a_file_it_must_be_there(file: Path) -> None:
    with pytest.raises(FileNotFoundError):
        look(file)


def test_a_machine_that_fails_is_no_look(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(image: Image.Image) -> Image.Image:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(inspection, "opaque", fail)
    with pytest.raises(OSError, match="Too many open files"):
        seen(file, encoded(PICTURE))
