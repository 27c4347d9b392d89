"""A clock that runs at the weekday's share of deliveries and nearly stands on holidays.

Hours after an order become working hours after it, and back. The rate of a local day is that of its
weekday (mean 1, so that a plain week has 168 working hours), times a factor if it is a holiday; days
have 24 hours. A row brings along when in its week it was ordered, and which of the days that follow
are holidays, as bits: bit d is the day d days after that of the order. Days beyond the bits are none.
"""

import numpy as np

WEEK = 168.0
# As many bits as a float32 holds exactly; beyond these days every week is a plain one.
DAYS = 24


class WorkingTime:
    """The clock of some rows as of one origin."""

    def __init__(self, ordered_week_hours, holidays_ahead, weekday_rates, holiday_factor):
        """ordered_week_hours: local hours since Monday 00:00, 0 to 168, one a row; holidays_ahead: the
        bits, NaN where none is known; weekday_rates: seven, Monday first; holiday_factor: what a holiday's
        rate is multiplied by.
        """
        rate = np.asarray(weekday_rates, dtype=float)
        if rate.shape != (7,) or not (rate > 0).all() or not holiday_factor > 0:
            raise ValueError(f"rates must be above 0, seven and one: {weekday_rates}, {holiday_factor}")
        ordered = np.asarray(ordered_week_hours, dtype=float)
        if not ((ordered >= 0) & (ordered < WEEK)).all():
            raise ValueError("ordered_week_hours must be from 0 to below 168")
        self.weekday = (ordered // 24).astype(int)
        self.into_day = ordered - 24 * self.weekday
        bits = np.nan_to_num(np.asarray(holidays_ahead, dtype=float)).astype(np.int64)
        days = np.arange(DAYS)
        rates = rate[(self.weekday[:, None] + days) % 7]
        rates[(bits[:, None] >> days) & 1 == 1] *= holiday_factor
        self.rates = rates
        self.starts = np.concatenate([np.zeros((len(rates), 1)), 24 * np.cumsum(rates, axis=1)], axis=1)
        # A plain week that begins at each weekday.
        self.week_rates = rate[(np.arange(7)[:, None] + np.arange(7)) % 7]
        self.week_starts = np.concatenate([np.zeros((7, 1)), 24 * np.cumsum(self.week_rates, axis=1)], axis=1)
        self.row = np.arange(len(rates))
        self.begun = self.into_day * rates[:, 0]

    def working(self, hours):
        """Working hours after the order of each row, at `hours` after it."""
        since = np.maximum(np.asarray(hours, dtype=float), 0) + self.into_day
        day = np.minimum((since // 24).astype(int), DAYS - 1)
        near = self.starts[self.row, day] + self.rates[self.row, day] * (since - 24 * day)
        beyond = np.maximum(since - 24 * DAYS, 0)
        weeks, rest = beyond // WEEK, beyond % WEEK
        first, day = (self.weekday + DAYS) % 7, np.minimum((rest // 24).astype(int), 6)
        far = weeks * self.week_starts[first, 7] + self.week_starts[first, day]
        far += self.week_rates[first, day] * (rest - 24 * day)
        return np.where(since < 24 * DAYS, near, self.starts[:, DAYS] + far) - self.begun

    def hours(self, working):
        """Hours after the order of each row, at so many working hours after it."""
        since = np.maximum(np.asarray(working, dtype=float), 0) + self.begun
        day = np.minimum((self.starts[:, 1:] <= since[:, None]).sum(axis=1), DAYS - 1)
        near = 24 * day + (since - self.starts[self.row, day]) / self.rates[self.row, day]
        beyond = np.maximum(since - self.starts[:, DAYS], 0)
        first = (self.weekday + DAYS) % 7
        week = self.week_starts[first, 7]
        weeks, rest = beyond // week, beyond % week
        day = np.minimum((self.week_starts[first, 1:] <= rest[:, None]).sum(axis=1), 6)
        far = weeks * WEEK + 24 * day + (rest - self.week_starts[first, day]) / self.week_rates[first, day]
        return np.where(since < self.starts[:, DAYS], near, 24 * DAYS + far) - self.into_day
