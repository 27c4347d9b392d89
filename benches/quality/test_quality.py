"""What the figures rest on: `python -m unittest discover -s benches/quality`."""

import pathlib
import sys
import unittest

import numpy as np

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from export import LEVELS  # noqa: E402
from metrics import brier_skill, coverage_of_days, score, weeks_running_below, width_at  # noqa: E402
from peers import corrections  # noqa: E402
from working_time import WorkingTime  # noqa: E402

RATES = [1.25, 1.2, 1.25, 1.2, 1.25, 0.8, 0.05]
FRIDAY_NOON = 4 * 24 + 12.0


class Clock(unittest.TestCase):
    def test_it_is_turned_back_whatever_the_row(self):
        random = np.random.default_rng(1)
        n = 5_000
        ordered = random.uniform(0, 168, n)
        holidays = random.integers(0, 1 << 24, n).astype(float)
        holidays[::7] = np.nan
        hours = random.exponential(400, n)
        hours[:100] = random.uniform(1_000, 9_000, 100)
        clock = WorkingTime(ordered, holidays, RATES, 0.02)
        working = clock.working(hours)
        np.testing.assert_allclose(clock.hours(working), hours, rtol=0, atol=1e-6)
        self.assertTrue((clock.working(hours + 0.5) > working).all())

    def test_by_hand(self):
        # Friday noon to Monday noon: half of Friday, Saturday, Sunday, half of Monday.
        clock = WorkingTime([FRIDAY_NOON], [np.nan], RATES, 0.1)
        self.assertAlmostEqual(clock.working([72.0])[0], 12 * 1.25 + 24 * 0.8 + 24 * 0.05 + 12 * 1.25)
        # Three days after the order's day is a holiday: Monday.
        clock = WorkingTime([FRIDAY_NOON], [8.0], RATES, 0.1)
        self.assertAlmostEqual(clock.working([72.0])[0], 12 * 1.25 + 24 * 0.8 + 24 * 0.05 + 12 * RATES[0] * 0.1)
        self.assertAlmostEqual(clock.hours(clock.working([72.0]))[0], 72.0)

    def test_a_plain_week_has_the_hours_of_its_rates_near_and_far(self):
        clock = WorkingTime([FRIDAY_NOON], [np.nan], RATES, 0.1)
        for weeks in (1, 7, 8, 40):
            self.assertAlmostEqual(clock.working([168.0 * weeks])[0], 24 * sum(RATES) * weeks)

    def test_equal_rates_change_nothing(self):
        clock = WorkingTime([0.0, 100.0], [np.nan, 0.0], [1.0] * 7, 0.1)
        np.testing.assert_allclose(clock.working([5_000.0, 30.0]), [5_000.0, 30.0])


class Conformal(unittest.TestCase):
    def test_too_narrow_intervals_cover_what_they_say_afterwards(self):
        random = np.random.default_rng(2)
        outcome = random.normal(300, 60, 20_000)
        narrow = 300 + 20 * np.array([-1.645, -1.282, -0.674, -0.253, 0, 0.253, 0.674, 1.282, 1.645])
        quantiles = np.tile(narrow, (len(outcome), 1))
        seen, new = outcome[:10_000], outcome[10_000:]
        for how in ("pairs", "levels"):
            corrected = narrow + corrections(how, quantiles[:10_000], seen)
            shares = (new[:, None] <= corrected).mean(axis=0)
            np.testing.assert_allclose(shares, LEVELS, atol=0.015)
        self.assertEqual(corrections("pairs", quantiles[:100], seen[:100])[4], 0)
        self.assertTrue((corrections("none", quantiles, outcome) == 0).all())

    def test_levels_move_a_median_that_is_biased(self):
        outcome = np.arange(1.0, 1_000.0)
        quantiles = np.zeros((len(outcome), len(LEVELS)))
        np.testing.assert_allclose(corrections("levels", quantiles, outcome), 1_000 * LEVELS)


class Metrics(unittest.TestCase):
    def test_by_hand_with_weights(self):
        actual = np.array([48.0, 96.0])
        quantiles = np.tile(72.0, (2, 9))
        found = score(actual, np.array([3.0, 1.0]), quantiles)
        self.assertAlmostEqual(found["mae_days"], 1)
        # Of the first row each level loses (1 - level) days, of the second level days: half in the mean.
        self.assertAlmostEqual(found["mean_pinball_days"], 0.5)
        self.assertAlmostEqual(found["below_median"], 0.75)
        self.assertEqual(found["coverage_80"], 0)

    def test_the_width_at_its_own_coverage_is_its_own(self):
        random = np.random.default_rng(3)
        actual = random.gamma(4, 60, 4_000)
        quantiles = np.tile(np.quantile(actual, LEVELS), (len(actual), 1))
        weight = random.uniform(1, 2, len(actual))
        own = score(actual, weight, quantiles)
        self.assertAlmostEqual(
            width_at(own["coverage_80"], actual, weight, quantiles), own["width_80_days"], places=2
        )
        self.assertLess(width_at(0.5, actual, weight, quantiles), own["width_80_days"])

    def test_brier_skill_is_of_the_lane(self):
        actual = np.array([24.0, 24.0 * 40])
        perfect = np.tile([[1.0], [0.0]], 60)
        skill = brier_skill(actual, np.ones(2), perfect, np.full((2, 60), 0.5))
        self.assertEqual(set(skill.values()), {1.0})
        same = np.full((2, 60), 0.3)
        self.assertEqual(brier_skill(actual, np.ones(2), same, same)[10], 0)

    def test_days_that_are_forecast_rightly_are_covered_to_four_fifths(self):
        # Four of five on the first day, the rest by the third: intervals of days cover all or nearly so.
        by_day = np.array([0.8, 0.8, 1.0])
        outcomes = 24.0 * np.array([0, 1, 3, 4])
        found = coverage_of_days(outcomes, np.tile(by_day, (4, 1)))
        np.testing.assert_allclose(found, [0.7 / 0.8, 0.7 / 0.8, 0.5, 0.0])
        self.assertAlmostEqual(0.8 * found[1] + 0.2 * found[2], 0.8)
        # Nothing was expected on that day: covered by where it lies.
        self.assertEqual(coverage_of_days(np.array([48.0]), by_day[None])[0], 1)
        random = np.random.default_rng(4)
        shares = random.dirichlet(np.ones(6), 20_000)
        drawn = (random.random((20_000, 1)) > np.cumsum(shares, axis=1)).sum(axis=1) + 1
        mean = coverage_of_days(24.0 * drawn, np.cumsum(shares, axis=1)).mean()
        self.assertAlmostEqual(mean, 0.8, delta=0.01)

    def test_only_weeks_that_follow_each_other_run(self):
        weeks = dict.fromkeys(("2018-01-01", "2018-01-08", "2018-01-29"), {"coverage_80": 0.6})
        self.assertEqual(weeks_running_below(weeks), [("2018-01-01", "2018-01-08")])


if __name__ == "__main__":
    unittest.main()
