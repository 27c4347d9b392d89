"""What the rows of what is in flight rest on: `python -m unittest discover -s benches/quality`."""

import datetime
import json
import pathlib
import sys
import tempfile
import types
import unittest

import numpy as np
import polars as pl

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import in_flight  # noqa: E402
import peers  # noqa: E402
from export import HOURS, LEVELS, Export  # noqa: E402

ORIGINS = ("2018-01-01", "2018-01-08")


def instant(text):
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)


def quantile_columns(median):
    return {name: median + 10.0 * (place - 4) for place, name in enumerate(HOURS)}


class Snapshots(unittest.TestCase):
    """An export of four snapshots: two that were known to be delivered, one open, one to predict."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        taken = [instant(day) for day in ("2017-11-01", "2017-12-20", "2017-12-28", "2018-01-02")]
        ordered = [moment - datetime.timedelta(days=20) for moment in taken]
        origin = instant(ORIGINS[0])
        pl.DataFrame({"age_hours": [480.0] * 4}).write_parquet(self.folder / "matrix.parquet")
        (self.folder / "features.json").write_text(json.dumps([{"name": "age_hours", "kind": "numeric"}]))
        pl.DataFrame(
            {
                "origin": [origin] * 4,
                "row": pl.Series([0, 1, 2, 3], dtype=pl.UInt32),
                "snapshot_at": taken,
                "hours": [40.0, 0.0, 70.0, None],
                "role": ["delivered", "delivered", "open", "predict"],
            }
        ).write_parquet(self.folder / "labels.parquet")
        predicted = {"origin": [origin], "row": pl.Series([3], dtype=pl.UInt32), "probability_over_2d": [0.5]}
        ours = predicted | {"shipment_id": ["s"], "snapshot_at": taken[3:], "ordered_at": ordered[3:]}
        ours |= {"actual_hours": [50.0], "weight": [1.5], "age": ["10 to 20 days"], "milestone": ["ordered"]}
        pl.DataFrame(ours | quantile_columns(60.0)).write_parquet(self.folder / "predictions.parquet")
        frames = [
            pl.DataFrame(predicted | {"forecast": [name]} | quantile_columns(median))
            for name, median in (("at_order_given_age", 70.0), ("lane_remaining_28d", 90.0))
        ]
        pl.concat(frames).write_parquet(self.folder / "baselines.parquet")

    def test_the_moment_of_a_snapshot_is_its_own_and_not_that_of_its_order(self):
        days = Export(self.folder).days_before(ORIGINS[0])
        np.testing.assert_allclose(days, [61, 12, 4, -1])

    def test_peers_learn_what_was_delivered_at_the_origin_and_the_tuned_one_mature_snapshots(self):
        export = Export(self.folder)
        plain = peers.Work(export, ORIGINS[0], peers.PLAIN)
        self.assertEqual(plain.rows.tolist(), [0, 1])
        # What was delivered by the snapshot, and recorded later, has no time left.
        self.assertEqual(plain.outcome.tolist(), [40.0, 0.0])
        self.assertEqual(plain.predict.tolist(), [3])
        tuned = peers.Work(export, ORIGINS[0], peers.TUNED)
        self.assertEqual(tuned.rows.tolist(), [0])
        self.assertNotEqual(plain.digest(), tuned.digest())

    def test_forecasts_and_segments_are_those_of_the_rows_that_are_predicted(self):
        export = Export(self.folder)
        export.read_forecasts()
        found = in_flight.judge(export, np.array([0]), export.forecasts)
        self.assertEqual((found["predicted"], found["rows"]), (1, 1))
        mae = {name: 24 * of["mae_days"] for name, of in found["scores"].items()}
        expected = {"longhaul": 10.0, "at_order_given_age": 20.0, "lane_remaining_28d": 40.0}
        self.assertEqual(mae.keys(), expected.keys())
        for name, hours in expected.items():
            self.assertAlmostEqual(mae[name], hours)
        self.assertEqual(list(found["segments"]["age"]), ["10 to 20 days"])
        self.assertEqual(list(found["segments"]["milestone"]), ["ordered"])


def of_many(n=1_000, seed=1):
    """Snapshots of two milestones whose outcomes are normal; the forecast is right before handover and
    half as wide as it should be afterwards.
    """
    random = np.random.default_rng(seed)
    handed_over = np.arange(n) % 4 == 0
    actual = random.normal(300, 60, n)
    normal = np.array([-1.645, -1.282, -0.674, -0.253, 0, 0.253, 0.674, 1.282, 1.645])
    width = np.where(handed_over, 30.0, 60.0)
    hours = 300 + width[:, None] * normal
    milestone = np.where(handed_over, "handed over", "ordered")
    export = types.SimpleNamespace(
        actual=actual, weight=np.ones(n), segments={"milestone": milestone, "age": np.full(n, "up to 2 days")}
    )
    given_age = {"hours": np.tile(np.sort(actual)[[50, 50, 250, 400, 500, 600, 750, 950, 950]], (n, 1))}
    return export, {"longhaul": {"hours": hours}, "at_order_given_age": given_age}


class Judging(unittest.TestCase):
    def test_the_worst_segment_is_the_one_that_is_farthest_from_four_fifths(self):
        export, forecasts = of_many(4_000)
        found = in_flight.judge(export, np.arange(4_000), forecasts)
        worst = found["worst"]["milestone"]
        self.assertEqual(worst["segment"], "handed over")
        # Half as wide: 80% of a standard deviation on each side at .641 of it.
        self.assertAlmostEqual(worst["coverage_80"], 0.478, delta=0.04)
        self.assertAlmostEqual(found["segments"]["milestone"]["ordered"]["coverage_80"], 0.8, delta=0.03)
        # Too few of them say nothing.
        few = in_flight.judge(export, np.arange(800), forecasts)
        self.assertEqual(few["segments"]["milestone"]["handed over"]["rows"], 200)
        self.assertEqual(few["worst"]["milestone"]["segment"], "ordered")

    def test_of_no_time_left_a_right_forecast_covers_four_fifths(self):
        # A quarter is delivered already; the levels up to 0.25 say so, and those beyond are exact.
        share, n = 0.25 + 0.15 / 2, 200_000
        random = np.random.default_rng(1)
        level = random.random(n)
        left = np.where(level < share, 0.0, 100 * level)
        quantiles = np.where(LEVELS <= share, 0.0, 100 * LEVELS)
        covered = in_flight.inside_left(left, np.tile(quantiles, (n, 1))).mean()
        self.assertAlmostEqual(covered, 0.8, delta=0.005)
        # All of it at 0: what is inside is 0.1 to 0.9 of it, and not all.
        nothing = in_flight.inside_left(np.zeros(1), np.zeros((1, 9)))[0]
        self.assertAlmostEqual(nothing, 0.8 / 0.975)

    def test_snapshots_without_an_outcome_are_not_judged(self):
        export, forecasts = of_many()
        export.weight[:100], export.actual[:100] = 0, np.nan
        found = in_flight.judge(export, np.arange(1_000), forecasts)
        self.assertEqual((found["predicted"], found["rows"]), (1_000, 900))
        self.assertFalse(np.isnan(found["scores"]["longhaul"]["mae_days"]))
        export.weight[:] = 0
        self.assertIsNone(in_flight.judge(export, np.arange(1_000), forecasts))

    def test_a_peer_that_was_not_trained_at_these_origins_is_left_out(self):
        export, forecasts = of_many()
        forecasts["lightgbm"] = {"hours": np.full((1_000, 9), np.nan)}
        self.assertNotIn("lightgbm", in_flight.judge(export, np.arange(1_000), forecasts)["scores"])


class Targets(unittest.TestCase):
    def found(self, given_age=1.0, peer=1.0, coverage=0.8):
        def scores(pinball):
            return {"mean_pinball_days": pinball, "mae_days": 3.0, "coverage_80": coverage}

        segment = {"rows": 500, "coverage_80": coverage, "scores": {}}
        return {
            "scores": {"longhaul": scores(1.0), "at_order_given_age": scores(given_age)}
            | {name: scores(peer) for name in ("lane_remaining_28d", "lightgbm", "lightgbm_tuned")},
            "segments": {"age": {"up to 2 days": segment}, "milestone": {"ordered": segment | {"rows": 10}}},
        }

    def missed(self, network, window, found):
        lines = list(in_flight.lines(network, window, found))
        return [line["work"] for line in lines if line.get("met") is not True]

    def test_all_of_a_network_is_held_to_its_target_and_each_window_to_being_better(self):
        better = self.found(given_age=1.1, peer=1.01)
        self.assertEqual(self.missed("Olist in flight", "peak", better), [])
        [line] = self.missed("Olist in flight", "all", better)
        self.assertIn("given the age", line)
        enough = self.found(given_age=1 / 0.85 + 1e-9, peer=1.01)
        self.assertEqual(self.missed("Olist in flight", "all", enough), [])
        self.assertEqual(len(self.missed("legs in flight", "all", enough)), 1)

    def test_no_better_is_missed(self):
        self.assertEqual(len(self.missed("Olist in flight", "peak", self.found(1.0, 1.0))), 4)

    def test_coverage_is_held_to_overall_and_by_segments_with_enough_snapshots(self):
        missed = self.missed("Olist in flight", "peak", self.found(1.1, 1.1, coverage=0.75))
        self.assertEqual(len(missed), 1)
        missed = self.missed("Olist in flight", "peak", self.found(1.1, 1.1, coverage=0.70))
        self.assertEqual(len(missed), 2)
        self.assertIn("age up to 2 days", missed[1])

    def test_a_peer_that_was_not_run_is_no_success(self):
        found = self.found(1.1, 1.1)
        del found["scores"]["lightgbm_tuned"]
        self.assertEqual(len(self.missed("Olist in flight", "peak", found)), 1)
        self.assertEqual(len(self.missed("Olist in flight", "peak", None)), 1)

    def test_origins_of_peers_are_spread_over_all(self):
        weeks = [f"2018-01-{day:02}" for day in (1, 8, 15, 22, 29)]
        self.assertEqual(in_flight.chosen(reversed(weeks), 2), [weeks[0], weeks[2], weeks[4]])


if __name__ == "__main__":
    unittest.main()
