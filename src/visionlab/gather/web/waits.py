"""How long to wait before asking again."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST = 120.0  # seconds: no server holds a crawl up for longer than that, whatever it asks for


def asked_wait(header: str | None) -> float:
    """The seconds that a Retry-After header asks for (RFC 9110, section 10.2.3); 0 where it does not."""
    if header is None:
        return 0.0
    try:
        seconds = float(header)
    except ValueError:
        try:
            date = parsedate_to_datetime(header)
        except ValueError:
            return 0.0
        seconds = ((date if date.tzinfo else date.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), LONGEST) if math.isfinite(seconds) else 0.0


def back_off(failures: int) -> float:
    """The seconds to wait after so many failures, where the server does not say: 1, 2, 4 …"""
    return min(2.0 ** (failures - 1), LONGEST)
