from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from visionlab.data.decode import BrokenImageError, decode

RED, GREEN, BLUE, GREY = (200, 30, 30), (30, 200, 30), (30, 30, 200), (90, 90, 90)


def quadrants(side: int = 48) -> Image.Image:
    """Four colours, so that every turn and every reflection shows."""
    image = Image.new("RGB", (2 * side, 2 * side))
    for number, color in enumerate((RED, GREEN, BLUE, GREY)):
        image.paste(
            color, ((number % 2) * side, (number // 2) * side, (number % 2 + 1) * side, (number // 2 + 1) * side)
        )
    return image


def corners(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle of each quadrant (4, C), by rows."""
    low, high = pixels.shape[-1] // 4, 3 * pixels.shape[-1] // 4
    return np.stack([pixels[:, y, x] for y in (low, high) for x in (low, high)])


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".png", {}),
        (".bmp", {}),
        (".webp", {"lossless": True}),
        (".webp", {"quality": 95}),
        (".gif", {}),
        (".tif", {}),
        (".tif", {"compression": "tiff_lzw"}),
        (".jpg", {"quality": 95}),
        (".jpg", {"quality": 95, "progressive": True}),
    ],
)
@pytest.mark.parametrize("size", [8, 40])
def test_kinds_of_files(tmp_path: Path, suffix: str, options: dict[str, Any], size: int) -> None:
    file = tmp_path / f"image{suffix}"
    quadrants().save(file, **options)
    pixels = decode(file, size, "rgb")
    assert pixels.shape == (3, size, size)
    assert pixels.dtype == np.uint8
    np.testing.assert_allclose(corners(pixels), [RED, GREEN, BLUE, GREY], atol=6)
    grey = decode(file, size, "grey")
    assert grey.shape == (1, size, size)
    np.testing.assert_allclose(corners(grey)[:, 0], [81, 130, 49, 90], atol=6)  # ITU-R 601-2


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "LA", "RGBA", "I;16"])
def test_modes_of_pixels_give_one_or_three_channels(tmp_path: Path, mode: str) -> None:
    file = tmp_path / ("image.tif" if mode == "CMYK" else "image.png")
    white = Image.fromarray(np.full((9, 9), 65535, np.uint16)) if mode == "I;16" else Image.new("L", (9, 9), 255)
    (white if mode == "I;16" else white.convert("RGB").convert(mode)).save(file)
    assert (decode(file, 8, "rgb") == np.full((3, 8, 8), 255)).all()
    assert (decode(file, 8, "grey") == np.full((1, 8, 8), 255)).all()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_become_eight(tmp_path: Path, suffix: str) -> None:
    levels = np.repeat(np.arange(0, 65536, 257, dtype=np.uint16).reshape(1, 256), 256, axis=0)
    Image.fromarray(levels).save(tmp_path / f"ramp{suffix}")
    pixels = decode(tmp_path / f"ramp{suffix}", 256, "grey")
    assert (pixels == np.arange(256)).all()


def test_transparency_lies_over_white(tmp_path: Path) -> None:
    half = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    half.paste((200, 0, 0, 255), (0, 0, 8, 16))
    half.paste((200, 0, 0, 128), (0, 8, 8, 16))
    for name, image in {"rgba.png": half, "rgba.webp": half, "palette.png": half.quantize(8)}.items():
        image.save(tmp_path / name, **({"lossless": True, "exact": True} if name.endswith("webp") else {}))
        pixels = decode(tmp_path / name, 16, "rgb")
        assert (pixels[:, 8, 14] == 255).all(), name
        np.testing.assert_allclose(pixels[:, 3, 2], [200, 0, 0], atol=3, err_msg=name)
        np.testing.assert_allclose(pixels[:, 12, 2], [227, 127, 127], atol=3, err_msg=name)
    gif = Image.new("P", (8, 8), 1)
    gif.putpalette([10, 10, 10, 90, 90, 90])
    gif.save(tmp_path / "clear.gif", transparency=1)
    assert (decode(tmp_path / "clear.gif", 8, "grey") == 255).all()


def test_the_first_frame_counts(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in (RED, GREEN)]
    for name in ("a.gif", "a.tif", "a.webp", "a.png"):
        options = {"lossless": True} if name == "a.webp" else {}
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **options)
        assert (decode(tmp_path / name, 8, "rgb")[:, 4, 4] == RED).all(), name


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize(
    ("orientation", "order"),
    [(1, "0123"), (2, "1032"), (3, "3210"), (4, "2301"), (5, "0213"), (6, "2031"), (7, "3120"), (8, "1302")],
)
def test_exif_orientation(tmp_path: Path, suffix: str, orientation: int, order: str) -> None:
    file = tmp_path / f"turned{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    quadrants().save(file, exif=exif)
    colors = [(RED, GREEN, BLUE, GREY)[int(number)] for number in order]
    np.testing.assert_allclose(corners(decode(file, 32, "rgb")), colors, atol=8)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_costs_nothing(tmp_path: Path) -> None:
    quadrants().save(tmp_path / "odd.jpg", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff broken")
    assert decode(tmp_path / "odd.jpg", 16, "rgb").shape == (3, 16, 16)


@pytest.mark.parametrize("shape", [(90, 30), (30, 90)])
def test_the_middle_is_cut_out(tmp_path: Path, shape: tuple[int, int]) -> None:
    image = Image.new("RGB", shape, RED)
    image.paste(GREEN, (shape[0] // 2 - 15, shape[1] // 2 - 15, shape[0] // 2 + 15, shape[1] // 2 + 15))
    image.save(tmp_path / "wide.png")
    pixels = decode(tmp_path / "wide.png", 10, "rgb")[:, 2:-2, 2:-2]  # the border is blended with what lies beyond
    assert (pixels == np.array(GREEN).reshape(3, 1, 1)).all()


def test_shrinking_is_antialiased_and_growing_works(tmp_path: Path) -> None:
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    Image.fromarray(board).save(tmp_path / "board.png")
    inner = decode(tmp_path / "board.png", 16, "grey")[:, 2:-2, 2:-2]
    assert ((inner > 125) & (inner < 130)).all()
    Image.new("L", (1, 3), 77).save(tmp_path / "dot.png")
    assert (decode(tmp_path / "dot.png", 16, "grey") == 77).all()


@pytest.mark.parametrize("color", ["rgb", "grey"])
def test_a_jpeg_decoded_at_a_fraction_of_its_size_looks_the_same(tmp_path: Path, color: Any) -> None:
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (18, 24, 3), dtype=np.uint8))
    coarse.resize((400, 300), Image.Resampling.BICUBIC).save(tmp_path / "big.jpg", quality=95)
    with Image.open(tmp_path / "big.jpg") as image:
        image.convert("RGB").save(tmp_path / "big.png")
    reduced, whole = (decode(tmp_path / name, 64, color).astype(int) for name in ("big.jpg", "big.png"))
    assert np.abs(reduced - whole).mean() < 1.5
    assert np.abs(reduced - whole).max() <= 12


def test_files_that_hold_no_image(tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
    for name in ("cut.jpg", "cut.png"):
        noise.save(tmp_path / name)
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-200])
    (tmp_path / "text.jpg").write_text("<html>not found</html>")
    (tmp_path / "empty.jpg").touch()
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "float.tif")
    reasons = {}
    for name in ("cut.jpg", "cut.png", "text.jpg", "empty.jpg", "float.tif", "gone.jpg"):
        with pytest.raises(BrokenImageError) as caught:
            decode(tmp_path / name, 8, "rgb")
        reasons[name] = str(caught.value)
    assert "truncated" in reasons["cut.jpg"]
    assert "truncated" in reasons["cut.png"]
    assert reasons["text.jpg"] == reasons["empty.jpg"] == "not an image of a known kind"
    assert "floating point" in reasons["float.tif"]
    assert reasons["gone.jpg"] == "No such file or directory"


def test_a_failing_disk_is_not_a_broken_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(file: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(OSError, match=r"Input/output error: .*x\.jpg"):
        decode(tmp_path / "x.jpg", 8, "rgb")
