"""Calendar months in UTC, in which tokens are counted."""

from datetime import UTC, date, datetime


def month_of(moment: datetime) -> date:
    """Returns the first day of a moment's month."""
    return moment.astimezone(UTC).date().replace(day=1)


def begin_month(moment: datetime) -> datetime:
    """Returns when a moment's month began."""
    return datetime.combine(month_of(moment), datetime.min.time(), UTC)


def end_month(moment: datetime) -> datetime:
    """Returns when a moment's month is over, which is when the next begins."""
    began = begin_month(moment)
    return began.replace(year=began.year + began.month // 12, month=began.month % 12 + 1)
