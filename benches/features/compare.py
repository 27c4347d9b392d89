"""Whether DuckDB's features are ours: every column of every row.

usage: compare.py --ours FOLDER --theirs FILE

Numbers are f32 on both sides, made of doubles once. Two are equal if both are missing, or one is
the other or the f32 next to it (within 2^-23 of its size): sines may round differently. Texts and
instants are equal if they are the same. Prints one line of JSON: `differ` counts the cells that are
not equal, by column; `rounded` those that are equal and not identical.
"""

import argparse
import json
import pathlib

import duckdb

# So many columns of all rows are in memory at once.
COLUMNS_AT_ONCE = 20
ULP = 2.0**-23


def our_matrix(folder):
    """The files that hold our features, which the stage's folder lists by month."""
    store, months = folder.parents[2], json.loads((folder / "months.json").read_text())
    return [store / month["rows"]["path"] for month in months if month["n_rows"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ours", type=pathlib.Path, required=True)
    parser.add_argument("--theirs", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    connection = duckdb.connect(config={"memory_limit": "4GiB", "threads": 2})
    paths = {"ours": our_matrix(arguments.ours), "theirs": [arguments.theirs]}
    columns, rows = {}, {}
    for side, files in paths.items():
        quoted = ", ".join("'" + str(path).replace("'", "''") + "'" for path in files)
        connection.execute(f"CREATE VIEW {side} AS FROM read_parquet([{quoted}])")
        described = connection.execute(f"DESCRIBE {side}").fetchall()
        columns[side] = {name: kind for name, kind, *_ in described}
        [(rows[side],)] = connection.execute(f"SELECT count(*) FROM {side}").fetchall()
    differ, rounded = {}, 0
    for name in columns["ours"].keys() ^ columns["theirs"].keys():
        differ[name] = max(rows.values())
    both = [name for name in columns["ours"] if name in columns["theirs"]]
    for at in range(0, len(both), COLUMNS_AT_ONCE):
        part = [name for name in both[at : at + COLUMNS_AT_ONCE] if name != "shipment_id"]
        counts = counted(connection, part, columns["ours"])
        for name, (off, next_to) in zip(part, counts):
            rounded += next_to
            if off:
                differ[name] = off
    found = {"rows": rows, "columns": len(both), "differ": differ, "rounded": rounded}
    print(json.dumps(found))


def counted(connection, names, kinds):
    """Of each column how many cells are not equal, and how many are but for rounding.

    A row that only one side has is unequal in all of them.
    """
    counts, wanted = [], ", ".join(f'"{name}"' for name in ["shipment_id", *names])
    for name in names:
        a, b = f'ours."{name}"', f'theirs."{name}"'
        other = f"{a} IS DISTINCT FROM {b} OR ours.shipment_id IS DISTINCT FROM theirs.shipment_id"
        near = "false"
        if kinds[name] == "FLOAT":
            near = f"coalesce(abs({a}::DOUBLE - {b}::DOUBLE) <= {ULP} * abs({a}::DOUBLE), false)"
        counts.append(f"count_if(({other}) AND NOT {near}), count_if(({other}) AND {near})")
    [found] = connection.execute(
        f"SELECT {', '.join(counts)} FROM (SELECT {wanted} FROM ours) AS ours "
        f"FULL JOIN (SELECT {wanted} FROM theirs) AS theirs USING (shipment_id)"
    ).fetchall()
    return list(zip(found[::2], found[1::2]))


if __name__ == "__main__":
    main()
