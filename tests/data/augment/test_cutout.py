from __future__ import annotations

import pytest
import torch

from visionlab.data.augment.cutout import cutout, random_rectangles


@pytest.mark.parametrize("side", [1, 2, 3, 6, 40])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_covers_one_square_of_each_image_that_may_be_cut_off_by_the_border(side: int, dtype: torch.dtype) -> None:
    images = torch.full((300, 3, 12, 9), 200, dtype=dtype)
    grey = torch.tensor([10.0, 20.0, 30.0]).view(1, 3, 1, 1)
    result = cutout(images, side, grey, torch.Generator().manual_seed(0))
    assert result.dtype == dtype
    assert torch.equal(images, torch.full_like(images, 200))
    covered = result != 200
    assert torch.equal(result, torch.where(covered, grey.to(dtype), images))
    assert torch.equal(covered, covered[:, :1].expand_as(covered))
    for mask in covered[:, 0]:
        rows, columns = mask.any(1), mask.any(0)
        assert torch.equal(mask, rows[:, None] & columns[None, :])
        for line in (rows, columns):
            positions = line.nonzero().flatten()
            assert 1 <= len(positions) <= side
            assert positions[-1] - positions[0] == len(positions) - 1
            assert len(positions) == min(side, len(line)) or line[0] or line[-1]


def test_every_pixel_is_as_often_the_centre() -> None:
    masks = random_rectangles(6000, torch.Size((5, 6)), 1, 1, torch.Generator().manual_seed(0))
    counts = masks.sum(0).flatten()
    assert counts.sum() == 6000
    assert counts.min() > 140
    assert counts.max() < 260


def test_rectangle_has_the_height_and_width_asked_for() -> None:
    masks = random_rectangles(200, torch.Size((9, 20)), 3, 8, torch.Generator().manual_seed(0))
    assert masks.shape == (200, 1, 9, 20)
    assert masks.any(3).sum(2).max() == 3
    assert masks.any(2).sum(2).max() == 8
