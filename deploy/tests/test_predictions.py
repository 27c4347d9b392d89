"""The place where consumers find predictions, read by DuckDB and Polars for Python: `make test-deploy`.

Two nights of the small network: `predictions/small/latest.json` names the second one, its tables have the
types that their contracts say, and both are read by one glob. `LONGHAUL` is the program.
"""

import hashlib
import json
import os
import pathlib
import subprocess
import tempfile
import unittest
from datetime import datetime, timedelta, timezone

import duckdb
import polars as pl

ROOT = pathlib.Path(__file__).resolve().parents[2]
LONGHAUL = os.environ["LONGHAUL"]
NIGHTS = ["2025-10-28", "2025-10-29"]

# The physical types of contracts, for both.
TYPES = {
    "utf8": ("VARCHAR", pl.String),
    "int64": ("BIGINT", pl.Int64),
    "float32": ("FLOAT", pl.Float32),
    "boolean": ("BOOLEAN", pl.Boolean),
    "list<float32>": ("FLOAT[]", pl.List(pl.Float32)),
    "timestamp[us, tz=UTC]": ("TIMESTAMP WITH TIME ZONE", pl.Datetime("us", "UTC")),
}


def program(*arguments: str) -> str:
    ended = subprocess.run(
        [LONGHAUL, *arguments], capture_output=True, text=True, check=False, cwd=ROOT
    )
    if ended.returncode != 0:
        raise AssertionError(f"{arguments}: {ended.returncode}: {ended.stderr}")
    return ended.stdout


def file_of(path: pathlib.Path | str) -> str:
    """A file for DuckDB, by its own columns: it would take `as_of` from the name of the folder, as a date."""
    return f"read_parquet('{path}', hive_partitioning = false)"


def declared(table: str) -> dict[str, tuple[str, bool]]:
    """Type and whether it is required, by column, from the printed contract, line by line."""
    columns: dict[str, tuple[str, bool]] = {}
    name = physical = None
    for line in program("contract", "show", table).splitlines():
        key, _, value = line.strip().removeprefix("- ").partition(": ")
        if line.startswith("      - name: "):
            name = value
        elif line.startswith("        physicalType: "):
            physical = value
        elif line.startswith("        required: ") and key == "required":
            columns[name] = (physical, value == "true")
    return columns


class Predictions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        store = pathlib.Path(cls.folder.name) / "store"
        program("simulate", "tests/small.toml", "--store", str(store))
        for night in NIGHTS:
            night = ["run", "tests/small.toml", "--as-of", night, "--store", str(store)]
            program(*night, "--set", "train.boost.rounds=10")
        cls.store = store
        cls.latest = json.loads((store / "predictions/small/latest.json").read_text())
        cls.night = store / cls.latest["folder"]

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_the_pointer_leads_to_the_last_night_and_its_digests_are_right(self):
        self.assertEqual(self.latest["as_of"], NIGHTS[-1])
        manifest = (self.night / "manifest.json").read_bytes()
        self.assertEqual(hashlib.sha256(manifest).hexdigest(), self.latest["manifest_sha256"])
        files = json.loads(manifest)["files"]
        tables = ["at_risk.parquet", "predictions.parquet", "speed_table.bin", "speed_table.parquet"]
        self.assertEqual(sorted(files), tables)
        for name, digest in files.items():
            found = hashlib.sha256((self.night / name).read_bytes()).hexdigest()
            self.assertEqual(found, digest, name)

    def test_types_and_nulls_are_those_of_the_contracts(self):
        for table in ["predictions", "at_risk", "speed_table"]:
            path = str(self.night / f"{table}.parquet")
            columns = declared(table)
            described = duckdb.sql(f"DESCRIBE SELECT * FROM {file_of(path)}").fetchall()
            schema = duckdb.sql(f"SELECT name, repetition_type FROM parquet_schema('{path}')").fetchall()
            repetition = dict(schema)
            frame = pl.read_parquet(path)
            self.assertEqual(list(columns), [name for name, *_ in described])
            self.assertEqual(list(columns), frame.columns)
            for name, kind, *_ in described:
                physical, required = columns[name]
                of_duckdb, of_polars = TYPES[physical]
                self.assertEqual((name, kind), (name, of_duckdb))
                self.assertEqual((name, frame.schema[name]), (name, of_polars))
                self.assertEqual((name, repetition[name] == "REQUIRED"), (name, required))
                if required:
                    self.assertEqual((name, frame[name].null_count()), (name, 0))
            metadata = pl.read_parquet_metadata(path)
            self.assertEqual(metadata["longhaul.contract"], table)
            self.assertEqual(metadata["longhaul.model_id"], self.latest["model_id"])
            keys = duckdb.sql(f"SELECT key FROM parquet_kv_metadata('{path}')").fetchall()
            self.assertIn((b"longhaul.contract_version",), keys)

    def test_both_read_the_same_instants_and_all_nights_at_once(self):
        nights = str(self.store / "predictions/small/as_of=*/predictions.parquet")
        by_night = duckdb.sql(
            f"SELECT epoch_us(as_of), count(*) FROM {file_of(nights)} GROUP BY as_of ORDER BY as_of"
        ).fetchall()
        frame = pl.read_parquet(nights, hive_partitioning=False)
        expected = frame.group_by(pl.col("as_of").dt.epoch("us")).len().sort("as_of")
        self.assertEqual(by_night, expected.rows())
        midnights = [datetime.fromisoformat(night).replace(tzinfo=timezone.utc) for night in NIGHTS]
        self.assertEqual(frame["as_of"].unique().sort().to_list(), midnights)

        path = str(self.night / "predictions.parquet")
        # By the names of folders only the nights that are wanted are opened.
        days = duckdb.sql(f"SELECT DISTINCT as_of FROM '{nights}' WHERE as_of = DATE '{NIGHTS[0]}'")
        self.assertEqual([str(day) for (day,) in days.fetchall()], NIGHTS[:1])
        ((eta,),) = duckdb.sql(f"SELECT max(epoch_us(eta_p50)) FROM {file_of(path)}").fetchall()
        frame = pl.read_parquet(path)
        epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
        self.assertEqual(frame["eta_p50"].max(), epoch + timedelta(microseconds=eta))
        late = (frame["eta_p50"] - frame["ordered_at"]).dt.total_seconds() / 3600 - frame["hours_p50"]
        self.assertLess(late.abs().max(), 1 / 1800)


if __name__ == "__main__":
    unittest.main(verbosity=2)
