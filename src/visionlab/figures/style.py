"""One look for every figure: readable when small, colour-blind safe, titled with what it says."""

from __future__ import annotations

from typing import Any

# Okabe and Ito 2008, "Color universal design"
BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY = "#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9"
GREY, PALE = "#767676", "#c9c9c9"

SETTINGS: dict[str, Any] = {
    "savefig.dpi": 150,
    "font.size": 11,
    "figure.titlesize": 13,
    "figure.titleweight": "bold",
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    # a class called "$5" is no formula
    "text.parse_math": False,
}


def percent(share: float, digits: int = 1) -> str:
    """0.912 -> "91.2 %", with a space that no line breaks at."""
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


def shorten(name: str, length: int) -> str:
    """The name on one line of at most `length` characters; what is left out is in the middle: ends tell names apart."""
    line = " ".join(name.split())
    if len(line) <= length:
        return line
    tail = (length - 1) // 3
    return f"{line[: length - 1 - tail].rstrip()}…{line[len(line) - tail :].lstrip()}"
