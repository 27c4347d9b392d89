"""Speed tables as the package reads them: `make test-python`.

SPEED_TABLE is a folder with `speed.bin`, as Rust has written it, and `expected.jsonl`, what lookups in it
must give.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import os
import pathlib
import pickle
import tempfile
import unittest
import zoneinfo
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

import longhaul

FOLDER = pathlib.Path(os.environ["SPEED_TABLE"]).absolute()
TABLE = longhaul.SpeedTable(FOLDER / "speed.bin")
EXPECTED: list[dict[str, Any]] = [
    json.loads(line) for line in (FOLDER / "expected.jsonl").read_text().splitlines()
]
LANES = pa.Table.from_pylist([expected["lane"] for expected in EXPECTED])
TEXTS = [name for name in LANES.column_names if name != "weight_g"]
HOURS = [f"hours_p{level:02}" for level in [5, 10, 25, 40, 50, 60, 75, 90, 95]]
BANDS_G = [500, 1_000, 2_000, 5_000, 10_000, 20_000, 31_500]


def singles(values: Any) -> Any:
    return np.asarray(values, np.float32)


class Lookups(unittest.TestCase):
    def test_one_lane(self) -> None:
        groupings = set()
        for expected in EXPECTED:
            found = TABLE.lookup(**expected["lane"])
            self.assertEqual(found.grouping, expected["grouping"])
            self.assertEqual(found.n_shipments, expected["n_shipments"])
            over_2d = expected["probability_over_2d"]
            self.assertEqual(np.float32(found.probability_over_2d), np.float32(over_2d))
            self.assertEqual(list(found.hours), [0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.95])
            hours, by_day = list(found.hours.values()), found.probability_by_day
            np.testing.assert_array_equal(singles(hours), singles(expected["hours"]))
            self.assertEqual(list(by_day), list(range(1, 61)))
            np.testing.assert_array_equal(
                singles(list(by_day.values())), singles(expected["probability_by_day"])
            )
            for within, probability in expected["probability_within"]:
                self.assertEqual(found.probability_within(within), probability)
                self.assertTrue(found.arrives_within(within, probability))
                self.assertFalse(found.arrives_within(within, np.nextafter(probability, 2)))
            quick = expected["can_be_delivered_quickly"]
            self.assertEqual(found.can_be_delivered_quickly(0.7), quick)
            self.assertIn(f"by {found.grouping}: {found.n_shipments} shipments", repr(found))
            groupings.add(found.grouping)
        self.assertEqual(len(groupings), 13)
        self.assertEqual({e["can_be_delivered_quickly"] for e in EXPECTED}, {True, False})

    def test_values_that_are_no_weight_are_not_known(self) -> None:
        lane = {**EXPECTED[0]["lane"], "weight_g": None}
        for weight in [float("nan"), -1.0, float("inf")]:
            found = TABLE.lookup(**{**lane, "weight_g": weight})
            self.assertEqual(found.n_shipments, TABLE.lookup(**lane).n_shipments)
        self.assertEqual(TABLE.lookup().grouping, "all")
        with self.assertRaises(TypeError):
            TABLE.lookup(destination_zone=22041)  # type: ignore[arg-type]
        with self.assertRaises(TypeError):
            TABLE.lookup(zone="22041")  # type: ignore[call-arg]

    def test_dates_end_at_midnight_where_the_order_is(self) -> None:
        speed = TABLE.lookup(destination_zone="22041")
        day = datetime.date(2026, 11, 23)
        noon = datetime.datetime(2026, 11, 21, 12)
        self.assertEqual(speed.probability_by(day, ordered_at=noon), speed.probability_within(60))
        moment = noon + datetime.timedelta(hours=30)
        self.assertEqual(
            speed.probability_by(moment, ordered_at=noon), speed.probability_within(30)
        )
        self.assertEqual(speed.probability_by(datetime.date(2026, 11, 1), ordered_at=noon), 0)
        # The night in which the clocks go back has an hour more.
        berlin = zoneinfo.ZoneInfo("Europe/Berlin")
        october = datetime.datetime(2026, 10, 24, 12, tzinfo=berlin)
        found = speed.probability_by(datetime.date(2026, 10, 25), ordered_at=october)
        self.assertEqual(found, speed.probability_within(37))
        in_utc = datetime.datetime(2026, 10, 25, 23, tzinfo=datetime.UTC)
        self.assertEqual(speed.probability_by(in_utc, ordered_at=october), found)
        with self.assertRaises(TypeError):
            speed.probability_by(in_utc, ordered_at=noon)


class Frames(unittest.TestCase):
    def check(self, found: pa.Table) -> None:
        names = ["grouping", "n_shipments", "model_id", "probability_over_2d", *HOURS]
        self.assertEqual(found.column_names, [*names, "probability_by_day"])
        for name in ["grouping", "n_shipments"]:
            self.assertEqual(found[name].to_pylist(), [e[name] for e in EXPECTED])
        self.assertEqual(set(found["model_id"].to_pylist()), {TABLE.model_id})
        for name in ["probability_over_2d", "probability_by_day"]:
            expected = singles([e[name] for e in EXPECTED])
            np.testing.assert_array_equal(singles(found[name].to_pylist()), expected)
        hours = np.column_stack([found[name].to_numpy() for name in HOURS])
        np.testing.assert_array_equal(hours, singles([e["hours"] for e in EXPECTED]))

    def test_tables_of_all_kinds(self) -> None:
        found = TABLE.lookup_frame(LANES)
        self.assertIsInstance(found, pa.Table)
        self.check(found)
        frame = LANES.to_pandas()
        frame.index = pd.Index(range(5, 5 + len(frame)))
        of_pandas = TABLE.lookup_frame(frame)
        self.assertTrue(of_pandas.index.equals(frame.index))
        self.check(pa.Table.from_pandas(of_pandas, preserve_index=False))
        for name in TEXTS:
            frame[name] = frame[name].astype("category")
        frame["notes"] = [object() for _ in range(len(frame))]
        self.check(pa.Table.from_pandas(TABLE.lookup_frame(frame), preserve_index=False))
        of_polars = TABLE.lookup_frame(pl.DataFrame(LANES))
        self.assertIsInstance(of_polars, pl.DataFrame)
        self.check(of_polars.to_arrow())
        batches = pa.concat_tables([LANES.slice(0, 3), LANES.slice(3, 0), LANES.slice(3)])
        self.check(TABLE.lookup_frame(batches.select(reversed(batches.column_names))))

    def test_columns_that_are_not_there_are_not_known(self) -> None:
        ids = [f"order {at}" for at in range(len(LANES))]
        table = LANES.select(["destination_zone"]).append_column("order_id", [ids])
        for kind in [table, table.to_pandas(), pl.DataFrame(table)]:
            found = TABLE.lookup_frame(kind)
            if not isinstance(found, pa.Table):
                found = pa.table(found)
            self.assertEqual(found.column_names[:2], ["order_id", "grouping"])
            self.assertEqual(found["order_id"].to_pylist(), ids)
            zones = table["destination_zone"].to_pylist()
            expected = [TABLE.lookup(destination_zone=zone).n_shipments for zone in zones]
            self.assertEqual(found["n_shipments"].to_pylist(), expected)
        # What pandas makes of a column without a value.
        frame = table.to_pandas().assign(carrier=np.nan, service=None)
        self.assertEqual(list(TABLE.lookup_frame(frame)["n_shipments"]), expected)
        self.assertEqual(len(TABLE.lookup_frame(table.slice(0, 0))), 0)

    def test_tables_that_are_no_lanes(self) -> None:
        numbers = LANES.drop_columns("carrier").append_column("carrier", [[1.5] * len(LANES)])
        texts = LANES.drop_columns("weight_g").append_column("weight_g", [["1 kg"] * len(LANES)])
        for kind in [pa.table, pl.DataFrame, lambda table: table.to_pandas()]:
            with self.assertRaisesRegex(longhaul.DataError, '"carrier": expected text, found'):
                TABLE.lookup_frame(kind(numbers))
            with self.assertRaisesRegex(longhaul.DataError, '"weight_g": expected numbers, found'):
                TABLE.lookup_frame(kind(texts))
            with self.assertRaisesRegex(longhaul.DataError, "a column of origin_zone, .*weight_g"):
                TABLE.lookup_frame(kind(pa.table({"zone": ["1"]})))
        with self.assertRaisesRegex(longhaul.DataError, "more than one: carrier"):
            TABLE.lookup_frame(numbers.append_column("carrier", [["a"] * len(LANES)]))
        with self.assertRaisesRegex(TypeError, "expected a table"):
            TABLE.lookup_frame({})  # type: ignore[type-var]


class Files(unittest.TestCase):
    def test_what_a_table_says_of_itself(self) -> None:
        self.assertEqual((TABLE.model_id, len(TABLE)), ("generated-1", 16))
        self.assertEqual(TABLE.as_of, datetime.datetime(2026, 11, 20, tzinfo=datetime.UTC))
        self.assertIn("generated-1, as of 2026-11-20 00:00:00+00:00: 16 rows", repr(TABLE))
        TABLE.verify()
        again = pickle.loads(pickle.dumps(TABLE))
        self.assertTrue(again.lookup_frame(LANES).equals(TABLE.lookup_frame(LANES)))

    def test_files_that_are_none(self) -> None:
        with self.assertRaisesRegex(longhaul.SpeedTableError, '/nowhere": cannot be read: No such'):
            longhaul.SpeedTable("/nowhere")
        data = (FOLDER / "speed.bin").read_bytes()
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "speed.bin"
            path.write_bytes(data[:-1])
            with self.assertRaisesRegex(longhaul.Error, "expected .* bytes, .* found .*; fetch"):
                longhaul.SpeedTable(path)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "speed.bin"
            path.write_bytes(data[:-1] + b"!")
            with self.assertRaisesRegex(longhaul.SpeedTableError, "expected SHA-256"):
                longhaul.SpeedTable(str(path)).verify()


class Documentation(unittest.TestCase):
    def run_in_folder(self, code: str, names: dict[str, Any]) -> list[str]:
        before = pathlib.Path.cwd()
        os.chdir(FOLDER)
        try:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(code, names)
        finally:
            os.chdir(before)
        return printed.getvalue().splitlines()

    def test_the_page_runs_and_describes_the_file(self) -> None:
        page = pathlib.Path(__file__).parents[2] / "docs" / "speed-table.md"
        usage, reader = (part.split("```")[0] for part in page.read_text().split("```python\n")[1:])
        names: dict[str, Any] = {"lanes": LANES}
        printed = self.run_in_folder(usage, names)
        self.assertEqual(len(printed), 3)
        self.assertTrue(printed[0].startswith("destination_zone "), printed)
        self.assertEqual(len(names["speeds"]), len(LANES))

        # Somebody else's reader, who has nothing but the description.
        self.run_in_folder(reader, names)
        for expected in EXPECTED:
            lane = expected["lane"]
            weight, band = lane["weight_g"], 0
            if weight is not None:
                band = 1 + sum(weight > end for end in BANDS_G)
            grouping, n_shipments, *numbers = names["looked_up"]([lane[name] for name in TEXTS], band)
            self.assertEqual(n_shipments, expected["n_shipments"])
            self.assertEqual(grouping == 12, expected["grouping"] == "all")
            of_row = [expected["probability_over_2d"], *expected["hours"]]
            np.testing.assert_array_equal(singles(numbers[:10]), singles(of_row))
            by_day = singles(numbers[10:]) / np.float32(65_535)
            np.testing.assert_array_equal(by_day, singles(expected["probability_by_day"]))


if __name__ == "__main__":
    unittest.main()
