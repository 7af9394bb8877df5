"""What a lab counts as absent: effects that are not seen, that cannot be told, and runs that are missing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from visionlab.labs.conclusion import absent

SEEN = {"seen": True, "text": "It works."}
NOT_SEEN = {"seen": False, "text": "Not seen: It works."}
NOT_TOLD = {"seen": None, "text": "Cannot be told: It works."}


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        ({"effects": [SEEN]}, []),
        ({"effects": [SEEN, NOT_SEEN]}, ["lab-x: Not seen: It works."]),
        ({"effects": [NOT_TOLD]}, ["lab-x: Cannot be told: It works."]),
        ({"effects": [NOT_TOLD], "size": "tiny"}, []),
        ({"effects": [NOT_SEEN], "size": "tiny"}, ["lab-x: Not seen: It works."]),
        (
            {"effects": [SEEN], "counts": {"finished": 48, "failed": 2}},
            ["lab-x: 2 of 50 runs did not come to their end"],
        ),
        ({}, ["lab-x: its effects could not be judged; what it printed says why"]),
    ],
)
def test_what_is_not_shown_is_told(report: dict[str, Any], expected: list[str]) -> None:
    content = {"size": "fast", "total": 50, "counts": {"finished": 50}} | report
    campaign: Any = SimpleNamespace(id="lab-x", report=lambda: content)
    assert absent(campaign) == expected
