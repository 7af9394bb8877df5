"""How similar a picture is to a part of another one, when the part is found that suits best."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

LEAST = 0.4  # of a side that a part may have
LUMA = (0.299, 0.587, 0.114)  # of red, green and blue in grey (ITU-R BT.601)

Floats = NDArray[np.float32]


def spans(low: Floats, high: Floats, parts: int, pixels: int) -> Floats:
    """How to average a row of pixels to fewer.

    Args:
        low: (M,) where the part of the row begins, from 0 to 1.
        high: (M,) where it ends.
        parts: to average to, of equal length.
        pixels: of the row.

    Returns:
        (M, parts, pixels): the share of each pixel in each part.
    """
    edges = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, parts + 1, dtype=np.float32)
    edges = edges[:, :, None] * pixels
    left = np.arange(pixels, dtype=np.float32)
    overlap = np.minimum(edges[:, 1:], left + 1) - np.maximum(edges[:, :-1], left)
    np.maximum(overlap, 0, out=overlap)
    return np.asarray(overlap / overlap.sum(2, keepdims=True), np.float32)


def sample(images: Floats, windows: Floats, parts: int) -> Floats:
    """Parts of images averaged to few pixels.

    Args:
        images: (M, C, H, W).
        windows: (M, 4) or (1, 4) left, top, right and bottom, from 0 to 1.
        parts: pixels of a side.

    Returns:
        (M, C, parts, parts).
    """
    left, top, right, bottom = windows.T
    rows = spans(top, bottom, parts, images.shape[2])[:, None]
    columns = spans(left, right, parts, images.shape[3])[:, None]
    return np.asarray(rows @ images @ columns.transpose(0, 1, 3, 2), np.float32)


def luminance(images: Floats) -> Floats:
    """What is left of images (M, 3, H, W) in black and white: (M, 1, H, W)."""
    return np.asarray(np.einsum("mchw,c->mhw", images, np.array(LUMA, np.float32))[:, None], np.float32)


def standardize(images: Floats) -> Floats:
    """Each channel with mean 0, then all of an image with length 1: (M, C, H, W) to (M, C * H * W)."""
    flat = (images - images.mean((2, 3), keepdims=True)).reshape(len(images), math.prod(images.shape[1:]))
    length = np.sqrt(np.einsum("md,md->m", flat, flat))
    return np.asarray(flat / np.maximum(length, 1e-3)[:, None], np.float32)


def slope_correlation(first: Floats, second: Floats) -> Floats:
    """How alike the slopes of pictures (M, C, n, n) are: (M,), 1 where one is the other but for contrast.

    Pictures that share nothing but dark and light places, as a dark animal before a wall, have other slopes.
    """
    one, other = (_slopes(pictures) for pictures in (first, second))
    return np.asarray(np.einsum("md,md->m", one, other), np.float32)


def _slopes(pictures: Floats) -> Floats:
    """(M, D), each of length 1."""
    down, across = np.gradient(pictures, axis=(2, 3))
    slopes = np.concatenate([down, across], axis=1).reshape(len(pictures), 2 * math.prod(pictures.shape[1:]))
    return np.asarray(slopes / np.maximum(np.linalg.norm(slopes, axis=1, keepdims=True), 1e-3), np.float32)


def align(inner: Floats, outer: Floats, windows: Floats, steps: int) -> tuple[Floats, Floats]:
    """Move the edges of windows in `outer` so that what they show correlates best with `inner`.

    Gauss-Newton steps (Lucas and Kanade 1981) with the mean of both pictures' gradients (Malis 2004), whatever their
    brightness and contrast.

    Args:
        inner: (M, C, n, n).
        outer: (M, C, H, W).
        windows: (M, 4) where to begin: left, top, right and bottom, from 0 to 1.
        steps: how many.

    Returns:
        (M,) the greatest correlation that was met and (M, 4) the windows that it was met at.
    """
    parts = inner.shape[2]
    goal = standardize(inner)
    best, where = np.full(len(inner), -1, np.float32), windows
    for step in range(steps + 1):
        shown = standardize(sample(outer, windows, parts))
        correlation = np.einsum("md,md->m", goal, shown)
        where = np.where((correlation > best)[:, None], windows, where)
        best = np.maximum(best, correlation)
        if step < steps:
            windows = _moved(windows, goal, shown, inner.shape)
    return best, where


def _moved(windows: Floats, goal: Floats, shown: Floats, shape: tuple[int, ...]) -> Floats:
    """One Gauss-Newton step of the edges."""
    parts = shape[2]
    # distances are in widths and heights of the window
    mean = ((goal + shown) / 2).reshape(shape)
    down, across = np.gradient(mean, 1 / parts, axis=(2, 3))
    place = (np.arange(parts, dtype=np.float32) + 0.5) / parts
    slopes = np.stack(
        [across * (1 - place), down * (1 - place)[:, None], across * place, down * place[:, None]], axis=1
    ).reshape(len(goal), 4, goal.shape[1])
    gram = slopes @ slopes.transpose(0, 2, 1)
    gram += 0.01 * np.trace(gram, axis1=1, axis2=2)[:, None, None] * np.eye(4, dtype=np.float32) + 1e-9 * np.eye(4)
    moves = np.linalg.solve(gram, slopes @ (goal - shown)[:, :, None])[:, :, 0]
    size = np.stack([windows[:, 2] - windows[:, 0], windows[:, 3] - windows[:, 1]], axis=1)
    moved = windows + np.clip(moves, -0.1, 0.1) * np.concatenate([size, size], axis=1)
    low = np.clip(moved[:, :2], 0, 1 - LEAST)
    high = np.clip(moved[:, 2:], low + LEAST, 1)
    return np.concatenate([low, high], axis=1).astype(np.float32)
