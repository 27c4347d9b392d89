"""The package as it is installed, on a bundle with parity vectors: `make test-python`.

BUNDLE is the folder of the bundle, whose model has numbers and categories.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import multiprocessing
import os
import pathlib
import pickle
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as parquet

import longhaul

FOLDER = pathlib.Path(os.environ["BUNDLE"])
LEVELS = [0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.95]
HOURS = [f"hours_p{round(100 * level):02}" for level in LEVELS]
VECTORS = parquet.read_table(FOLDER / "parity" / "vectors.parquet")
MODEL = longhaul.load(FOLDER)


def codes(name: str) -> Any:
    return VECTORS[name].to_numpy(zero_copy_only=False)


def column(feature: longhaul.Feature) -> Any:
    """A feature's column of the vectors as a caller has it: categories are texts, not codes."""
    if feature.levels is None:
        return VECTORS[feature.name].combine_chunks()
    known = dict(enumerate(feature.levels))
    return pa.array([known.get(code) for code in codes(feature.name).tolist()], pa.string())


def has_codes_of_levels() -> Any:
    """Rows without codes that no level has: they have no text."""
    rows = np.ones(len(VECTORS), bool)
    for feature in MODEL.features:
        if feature.levels is not None:
            values = codes(feature.name)
            rows &= np.isnan(values) | np.isin(values, np.arange(len(feature.levels)))
    return rows


ROWS = has_codes_of_levels()
TABLE = pa.table({feature.name: column(feature) for feature in MODEL.features}).filter(ROWS)


def expected() -> dict[str, Any]:
    """What the scorer publishes of each row: its numbers, rounded to 32 bits."""

    def matrix(name: str) -> Any:
        values = VECTORS[name].combine_chunks().flatten().to_numpy()
        return values.reshape(len(VECTORS), -1)[ROWS].astype(np.float32)

    over = codes("parity:probability_over_2d")[ROWS].astype(np.float32)
    return {
        "probability_over_2d": over,
        "hours": matrix("parity:hours"),
        "probability_by_day": matrix("parity:probability_by_day"),
    }


EXPECTED = expected()


def bits(values: Any) -> Any:
    return np.ascontiguousarray(values, np.float32).view(np.uint32)


def as_row(position: int) -> dict[str, Any]:
    row: dict[str, Any] = TABLE.slice(position, 1).to_pylist()[0]
    return row


class Predictions(unittest.TestCase):
    def check(self, found: pa.Table, rows: Any = slice(None)) -> None:
        names = ["model_id", "probability_over_2d", *HOURS, "probability_by_day"]
        self.assertEqual(found.column_names, names)
        over = found["probability_over_2d"].to_numpy()
        np.testing.assert_array_equal(bits(over), bits(EXPECTED["probability_over_2d"][rows]))
        hours = np.column_stack([found[name].to_numpy() for name in HOURS])
        np.testing.assert_array_equal(bits(hours), bits(EXPECTED["hours"][rows]))
        by_day = np.array(found["probability_by_day"].to_pylist())
        np.testing.assert_array_equal(bits(by_day), bits(EXPECTED["probability_by_day"][rows]))
        self.assertEqual(set(found["model_id"].to_pylist()), {MODEL.model_id})

    def test_there_are_enough_rows_of_all_kinds(self) -> None:
        self.assertGreater(len(TABLE), 500)
        kinds = {feature.kind for feature in MODEL.features}
        self.assertEqual(kinds, {"numeric", "categorical"})
        self.assertTrue(np.isinf(TABLE[MODEL.features[0].name].to_numpy()).any())

    def test_pyarrow(self) -> None:
        found = MODEL.predict(TABLE)
        self.assertIsInstance(found, pa.Table)
        self.assertEqual(found.schema.field("hours_p50").type, pa.float32())
        self.assertEqual(found.schema.field("probability_by_day").type, pa.list_(pa.float32()))
        self.check(found)

    def test_batches_and_readers_of_pyarrow(self) -> None:
        batch = TABLE.combine_chunks().to_batches()[0]
        found = MODEL.predict(batch)
        self.assertIsInstance(found, pa.RecordBatch)
        self.check(pa.table(found))
        # Many batches, and one without rows among them.
        batches = [batch.slice(0, 100), batch.slice(100, 0), batch.slice(100)]
        reader = pa.RecordBatchReader.from_batches(batch.schema, batches)
        from_reader = MODEL.predict(reader)
        self.assertIsInstance(from_reader, pa.RecordBatchReader)
        self.check(from_reader.read_all())

    def test_pandas(self) -> None:
        frame = TABLE.to_pandas()
        frame.index = pd.Index(range(7, 7 + len(frame)), name="position")
        found = MODEL.predict(frame)
        self.assertIsInstance(found, pd.DataFrame)
        self.assertTrue(found.index.equals(frame.index))
        self.check(pa.Table.from_pandas(found, preserve_index=False))

    def test_pandas_with_other_types(self) -> None:
        frame = TABLE.to_pandas()
        rows = np.arange(len(frame))
        for feature in MODEL.features:
            name = feature.name
            if feature.levels is None:
                frame[name] = frame[name].astype(object).where(frame[name].notna(), None)
            else:
                frame[name] = frame[name].astype("category")
        # What is no feature may be anything.
        frame["notes"] = [object() for _ in rows]
        self.check(pa.Table.from_pandas(MODEL.predict(frame), preserve_index=False))

    def test_polars(self) -> None:
        frame = pl.DataFrame(TABLE)
        found = MODEL.predict(frame)
        self.assertIsInstance(found, pl.DataFrame)
        self.check(found.to_arrow())
        by_category = frame.with_columns(pl.col(pl.String).cast(pl.Categorical))
        self.check(MODEL.predict(by_category).to_arrow())
        in_chunks = pl.concat([frame[:300], frame[300:]], rechunk=False)
        self.check(MODEL.predict(in_chunks).to_arrow())

    def test_any_other_table(self) -> None:
        class Table:
            def __arrow_c_stream__(self, requested_schema: object = None) -> object:
                return TABLE.__arrow_c_stream__(requested_schema)

        found = MODEL.predict(Table())
        self.assertIsInstance(found, longhaul.Table)
        self.check(pa.table(found))

    def test_order_and_ids_of_columns(self) -> None:
        names = list(reversed(TABLE.column_names))
        table = TABLE.select(names).append_column("other", [[None] * len(TABLE)])
        self.check(MODEL.predict(table))
        ids = [f"order {at}" for at in range(len(TABLE))]
        for kind in [table, pl.DataFrame(table.drop_columns("other")), table.to_pandas()]:
            if isinstance(kind, pa.Table):
                found = MODEL.predict(kind.append_column("order_id", [ids]))
            elif isinstance(kind, pl.DataFrame):
                found = pa.table(MODEL.predict(kind.with_columns(order_id=pl.Series(ids))))
            else:
                found = pa.Table.from_pandas(MODEL.predict(kind.assign(order_id=ids)))
            self.assertEqual(found.column_names[:2], ["order_id", "model_id"])
            self.assertEqual(found["order_id"].to_pylist(), ids)

    def test_no_rows(self) -> None:
        empty = TABLE.slice(0, 0).append_column("shipment_id", pa.array([], pa.string()))
        for table in [empty, empty.to_pandas(), pl.DataFrame(empty)]:
            found = MODEL.predict(table)
            self.assertEqual((type(found), len(found)), (type(table), 0))
        self.assertEqual(MODEL.predict(empty)["shipment_id"].type, pa.string())

    def test_one_row(self) -> None:
        for position in range(0, len(TABLE), 7):
            found = MODEL.predict_row({**as_row(position), "other": object()})
            row = EXPECTED["hours"][position]
            self.assertEqual(list(found.hours), LEVELS)
            np.testing.assert_array_equal(bits(list(found.hours.values())), bits(row))
            over = EXPECTED["probability_over_2d"][position]
            self.assertEqual(bits([found.probability_over_2d]), bits([over]))
            by_day = EXPECTED["probability_by_day"][position]
            self.assertEqual(list(found.probability_by_day), list(range(1, 61)))
            found_by_day = list(found.probability_by_day.values())
            np.testing.assert_array_equal(bits(found_by_day), bits(by_day))
        self.assertIn("median", repr(found))

    def test_values_of_a_row_may_be_of_any_number_type(self) -> None:
        row = as_row(0)
        name = MODEL.features[0].name
        alike: list[list[Any]] = [[3, 3.0, np.float32(3), np.int64(3)], [1, True, np.bool_(True)]]
        for values in [*alike, [None, float("nan"), np.nan]]:
            found = {repr(MODEL.predict_row({**row, name: value}).hours) for value in values}
            self.assertEqual(len(found), 1, values)
        category = next(feature.name for feature in MODEL.features if feature.levels)
        found = {
            repr(MODEL.predict_row({**row, category: value}).hours)
            for value in [None, float("nan"), "a level that is new"]
        }
        self.assertEqual(len(found), 1)


class Explanations(unittest.TestCase):
    def test_they_are_those_of_the_vectors(self) -> None:
        explained = VECTORS["parity:shap:gate"].combine_chunks().is_valid().to_numpy(False)
        rows = (explained & ROWS)[ROWS]
        self.assertGreater(rows.sum(), 10)
        some = TABLE.filter(rows)
        for table in [some, some.to_pandas(), pl.DataFrame(some)]:
            found = longhaul.explain(MODEL, table)
            self.assertEqual(list(found), ["gate", "regressor_0", "regressor_1"])
            for part, explanation in found.items():
                values = np.asarray(explanation.values)
                shape = (rows.sum(), len(MODEL.features), 1 if part == "gate" else 9)
                self.assertEqual((values.shape, values.dtype), (shape, np.float64))
                shap = VECTORS[f"parity:shap:{part}"].filter(explained & ROWS).combine_chunks()
                np.testing.assert_array_equal(values.ravel(), shap.flatten().to_numpy())
                raw = VECTORS[f"parity:raw:{part}"].filter(explained & ROWS).combine_chunks()
                sums = values.sum(axis=1) + np.array(explanation.expected)
                np.testing.assert_allclose(sums.ravel(), raw.flatten().to_numpy(), atol=1e-9)
                self.assertEqual(explanation.part, part)
                self.assertEqual(explanation.features, tuple(f.name for f in MODEL.features))
                self.assertIn(part, repr(explanation))

    def test_of_no_rows_there_are_none(self) -> None:
        with self.assertRaisesRegex(longhaul.DataError, "one row or more"):
            longhaul.explain(MODEL, TABLE.slice(0, 0))


class Documentation(unittest.TestCase):
    def test_the_page_runs(self) -> None:
        page = pathlib.Path(__file__).parents[2] / "docs" / "scorer.md"
        code = page.read_text().split("```python\n")[1].split("```")[0]
        before = pathlib.Path.cwd()
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "bundle").symlink_to(FOLDER.absolute())
            os.chdir(folder)
            try:
                printed = io.StringIO()
                with contextlib.redirect_stdout(printed):
                    exec(code, {"rows": TABLE.slice(0, 3), "row": as_row(0)})
            finally:
                os.chdir(before)
        lines = printed.getvalue().splitlines()
        self.assertEqual(len(lines), 2 + len(MODEL.features))
        self.assertTrue(lines[-1].endswith(f"(3, {len(MODEL.features)}, 1)"), lines[-1])


class Problems(unittest.TestCase):
    def test_all_missing_columns_are_named(self) -> None:
        numeric = next(f.name for f in MODEL.features if f.levels is None)
        category = next(f.name for f in MODEL.features if f.levels)
        less = TABLE.drop_columns([numeric, category])
        message = rf"none for 2 features: {numeric} \(number\), {category} \(text\)$"
        for table in [less, less.to_pandas(), pl.DataFrame(less), pd.DataFrame({"other": [1]})]:
            if len(table) == 1:
                message = rf"none for {len(MODEL.features)} features: "
            with self.assertRaisesRegex(longhaul.DataError, message):
                MODEL.predict(table)
            with self.assertRaisesRegex(longhaul.DataError, message):
                longhaul.explain(MODEL, table)
        row = as_row(0)
        del row[numeric], row[category]
        with self.assertRaisesRegex(longhaul.DataError, "a key for each feature.* 2 features"):
            MODEL.predict_row(row)

    def test_columns_of_other_types(self) -> None:
        numeric = next(f.name for f in MODEL.features if f.levels is None)
        category = next(f.name for f in MODEL.features if f.levels)
        n = len(TABLE)
        for name, values, expected in [
            (numeric, ["far"] * n, f'"{numeric}": expected numbers, found (LargeUtf8|Utf8)'),
            (category, [1.5] * n, f'"{category}": expected text, found Float64'),
        ]:
            at = TABLE.column_names.index(name)
            table = TABLE.set_column(at, name, [values])
            for kind in [table, table.to_pandas(), pl.DataFrame(table)]:
                with self.assertRaisesRegex(longhaul.DataError, expected):
                    MODEL.predict(kind)
        frame = TABLE.to_pandas()
        frame[numeric] = pd.Series([1.0, "far", *[None] * (n - 2)], dtype=object)
        with self.assertRaisesRegex(longhaul.DataError, f'"{numeric}": expected .* one type'):
            MODEL.predict(frame)

    def test_values_of_other_types(self) -> None:
        numeric = next(f.name for f in MODEL.features if f.levels is None)
        category = next(f.name for f in MODEL.features if f.levels)
        row = {**as_row(0), numeric: "far", category: 3}
        with self.assertRaisesRegex(longhaul.DataError, r"found 'far' \(str\).*found 3 \(int\)"):
            MODEL.predict_row(row)
        with self.assertRaises(ValueError):
            MODEL.predict_row(row)

    def test_columns_that_are_there_twice(self) -> None:
        name = MODEL.features[0].name
        twice = TABLE.append_column(name, TABLE[name])
        frame = TABLE.to_pandas()
        both = pd.concat([frame, frame[[name]]], axis=1)
        for table in [twice, both]:
            with self.assertRaisesRegex(longhaul.DataError, f"more than one: {name}"):
                MODEL.predict(table)

    def test_what_is_no_table(self) -> None:
        wrong: list[Any] = [[1, 2], None, {"a": 1}, "rows.parquet", pd.Series([1.0])]
        for table in wrong:
            with self.assertRaises((TypeError, longhaul.DataError), msg=repr(table)):
                MODEL.predict(table)
        lazy: Any = pl.DataFrame(TABLE).lazy()
        with self.assertRaisesRegex(TypeError, "collect"):
            MODEL.predict(lazy)
        # A column is a stream too, but of no table.
        with self.assertRaises(longhaul.DataError):
            MODEL.predict(TABLE[MODEL.features[0].name])

    def test_the_model_of_what_is_in_flight(self) -> None:
        with self.assertRaisesRegex(longhaul.BundleError, "in_flight"):
            longhaul.load(FOLDER, in_flight=True)
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder) / "bundle"
            shutil.copytree(FOLDER, copy)
            (copy / "in_flight").mkdir()
            for path in [*FOLDER.glob("*.bin"), FOLDER / "features.json", FOLDER / "mixture.json"]:
                shutil.copy(path, copy / "in_flight" / path.name)
            script = pathlib.Path(__file__).with_name("write_manifest.py")
            subprocess.run([sys.executable, script, copy, "generated-2"], check=True)
            model = longhaul.load(copy, in_flight=True)
            self.assertEqual(model.model_id, "generated-2")
            self.assertEqual(model.features, longhaul.load(copy).features)
            again = pickle.loads(pickle.dumps(model))
            few = TABLE.slice(0, 5)
            for name in ["probability_over_2d", *HOURS]:
                self.assertTrue(again.predict(few)[name].equals(MODEL.predict(few)[name]))
            self.assertEqual(set(longhaul.explain(again, few)), set(longhaul.explain(MODEL, few)))

    def test_bundles_that_cannot_be_loaded(self) -> None:
        with self.assertRaisesRegex(longhaul.BundleError, "nowhere/manifest.json.*No such file"):
            longhaul.load("/nowhere")
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder) / "copy"
            shutil.copytree(FOLDER, copy)
            longhaul.load(str(copy))
            (copy / "gate.bin").write_bytes((FOLDER / "gate.bin").read_bytes()[:-1])
            with self.assertRaisesRegex(longhaul.Error, "gate.bin.*expected .* found .*; fetch"):
                longhaul.load(copy)
            (copy / "gate.bin").unlink()
            with self.assertRaisesRegex(longhaul.BundleError, "gate.bin"):
                longhaul.load(copy)
        with self.assertRaises(TypeError):
            longhaul.load(3)  # type: ignore[arg-type]


class Models(unittest.TestCase):
    def test_features(self) -> None:
        described = json.loads((FOLDER / "features.json").read_bytes())
        self.assertEqual([f.name for f in MODEL.features], [d["name"] for d in described])
        for feature, entry in zip(MODEL.features, described, strict=True):
            if entry["kind"] == "numeric":
                self.assertEqual((feature.kind, feature.levels), ("numeric", None))
            else:
                levels = tuple(entry["kind"]["categorical"]["levels"])
                self.assertEqual((feature.kind, feature.levels), ("categorical", levels))
            self.assertEqual(feature.meaning, entry.get("meaning"))
            self.assertEqual(feature.unit, entry.get("unit"))

    def test_meanings_and_units(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder) / "copy"
            shutil.copytree(FOLDER, copy)
            described = json.loads((copy / "features.json").read_bytes())
            described[0] |= {"meaning": "as the crow flies", "unit": "km"}
            text = json.dumps(described).encode()
            (copy / "features.json").write_bytes(text)
            manifest = json.loads((copy / "manifest.json").read_bytes())
            entry = {"sha256": hashlib.sha256(text).hexdigest(), "bytes": len(text)}
            manifest["files"]["features.json"] = entry
            (copy / "manifest.json").write_text(json.dumps(manifest))
            first, second = longhaul.load(copy).features[:2]
            self.assertEqual((first.meaning, first.unit), ("as the crow flies", "km"))
            self.assertEqual((second.meaning, second.unit), (None, None))

    def test_ids_and_copies(self) -> None:
        manifest = json.loads((FOLDER / "manifest.json").read_bytes())
        self.assertEqual(MODEL.model_id, manifest["model_id"])
        self.assertIn(MODEL.model_id, repr(MODEL))
        again = pickle.loads(pickle.dumps(MODEL))
        self.assertTrue(again.predict(TABLE).equals(MODEL.predict(TABLE)))

    def test_threads_score_at_once_and_others_go_on(self) -> None:
        large = pa.concat_tables([TABLE] * 100)
        found: list[pa.Table] = []
        threads = [
            threading.Thread(target=lambda: found.append(MODEL.predict(large))) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        # With the lock taken, this thread would not run until they are all done.
        turns = 0
        while any(thread.is_alive() for thread in threads):
            turns += 1
            time.sleep(0.001)
        self.assertGreater(turns, 5)
        self.assertEqual(len(found), 3)
        for table in found:
            self.assertTrue(table.equals(found[0]))

    def test_a_forked_process_scores(self) -> None:
        # The parent has threads by now, which the child does not.
        MODEL.predict(TABLE)
        context = multiprocessing.get_context("fork")
        results = context.Queue()
        child = context.Process(target=lambda: results.put(MODEL.predict(TABLE).num_rows))
        child.start()
        self.assertEqual(results.get(timeout=60), len(TABLE))
        child.join(60)
        self.assertEqual(child.exitcode, 0)


if __name__ == "__main__":
    unittest.main()
