"""Dates and moments as hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta


def hours_until(by: date, ordered_at: datetime) -> float:
    """Hours from an order to the end of a date, in the order's time zone, or to a moment."""
    if not isinstance(by, datetime):
        by = datetime.combine(by + timedelta(days=1), time(), ordered_at.tzinfo)
    if by.tzinfo is not None and ordered_at.tzinfo is not None:
        # Moments of one time zone are subtracted as its clocks show them, which may change in between.
        by, ordered_at = by.astimezone(UTC), ordered_at.astimezone(UTC)
    return (by - ordered_at) / timedelta(hours=1)
