"""DuckDB's half: features.sql over a store's checked tables, to a Parquet file.

usage: theirs.py --store FOLDER --check FILE --as-of DATE --out FILE
                 [--threads 2] [--memory 4GiB]

Prints one line of JSON: the seconds from an open connection to the written file. The interpreter's
start and the import of duckdb are not in it.
"""

import argparse
import json
import pathlib
import tempfile
import time

import duckdb

# As `REACH_DAYS` of crates/features.
REACH_DAYS = 90
SQL = pathlib.Path(__file__).with_name("features.sql")


def node_rows(store):
    """The table of nodes, which a store may lack: what features.sql reads of it."""
    wanted = "node_id, recorded_at, kind, time_zone, daily_capacity, recorded_on"
    if not any(store.glob("tables/nodes/*/*.parquet")):
        return (
            "CREATE TABLE node_rows (node_id VARCHAR, recorded_at TIMESTAMPTZ, kind VARCHAR, "
            "time_zone VARCHAR, daily_capacity DOUBLE, recorded_on DATE, filename VARCHAR, "
            "file_row_number BIGINT)"
        )
    return (
        f"CREATE VIEW node_rows AS SELECT {wanted}, filename, file_row_number FROM read_parquet("
        "getvariable('store') || '/tables/nodes/*/*.parquet', "
        "hive_partitioning = true, filename = true, file_row_number = true)"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--store", type=pathlib.Path, required=True)
    parser.add_argument("--check", type=pathlib.Path, required=True)
    parser.add_argument("--as-of", required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory", default="4GiB")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.out.parent) as spill:
        settings = {
            "threads": arguments.threads,
            "memory_limit": arguments.memory,
            "temp_directory": spill,
            # Rows may come in any order, which takes less memory.
            "preserve_insertion_order": False,
        }
        connection = duckdb.connect(config=settings)
        started = time.perf_counter()
        connection.execute("SET TimeZone = 'UTC'")
        variables = {
            "store": str(arguments.store),
            "check_file": str(arguments.check),
            "reach_days": REACH_DAYS,
        }
        for name, value in variables.items():
            connection.execute(f"SET VARIABLE {name} = ?", [value])
        connection.execute("SET VARIABLE as_of = ?::TIMESTAMPTZ", [arguments.as_of])
        connection.execute(node_rows(arguments.store))
        connection.execute(SQL.read_text())
        out = str(arguments.out).replace("'", "''")
        copied = f"COPY features TO '{out}' (FORMAT parquet, COMPRESSION zstd)"
        [(rows,)] = connection.execute(copied).fetchall()
        seconds = time.perf_counter() - started
    figures = {"rows": rows, "seconds": seconds, "version": duckdb.__version__}
    print(json.dumps({"engine": "duckdb", **figures}))


if __name__ == "__main__":
    main()
