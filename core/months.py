"""Months by their days. Pure."""

from datetime import date, timedelta


def next_month(day: date) -> date:
    """The first day of the month after the one a day lies in."""
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)


def month_end(day: date) -> date:
    """The last day of the month a day lies in."""
    return next_month(day) - timedelta(days=1)
