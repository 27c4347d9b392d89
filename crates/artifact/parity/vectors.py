"""Reads the parity vectors of a model, and compares numbers bit by bit."""

import numpy as np
import pyarrow.parquet as parquet


class Vectors:
    """Rows of a model and what it makes of them; the columns are described in
    crates/artifact/src/export/parity_columns.rs."""

    def __init__(self, folder):
        path = folder / "parity" / "vectors.parquet"
        self.table = parquet.read_table(path)
        pairs = parquet.read_metadata(path).metadata.items()
        self.metadata = {key.decode(): value.decode() for key, value in pairs}
        schema = self.metadata.get("schema")
        if schema != "longhaul/parity/2":
            raise SystemExit(f"parity/vectors.parquet: unknown schema {schema}")
        self.names = [name for name in self.table.column_names if not name.startswith("parity:")]
        # Every reader gets the f32 values as f64, which is exact.
        columns = [self.column(name).astype(np.float64) for name in self.names]
        self.rows = np.column_stack(columns)
        self.ensembles = [
            name.removeprefix("parity:raw:")
            for name in self.table.column_names
            if name.startswith("parity:raw:")
        ]

    def __len__(self):
        return len(self.rows)

    def column(self, name):
        """A column as an array; of lists as a matrix with a row for each."""
        values = self.table[name].combine_chunks()
        if hasattr(values, "flatten") and hasattr(values.type, "list_size"):
            return values.flatten().to_numpy().reshape(len(values), values.type.list_size)
        return values.to_numpy(zero_copy_only=False)

    def leaves(self, ensemble):
        """Rows x trees: the leaf of each tree."""
        return self.column(f"parity:leaves:{ensemble}")

    def explained(self):
        """The rows that are explained."""
        return np.flatnonzero(self.table["parity:shap:gate"].combine_chunks().is_valid())

    def shap(self, ensemble):
        """Explained rows x features x outputs: what each feature adds to the expected raw score."""
        values = self.table[f"parity:shap:{ensemble}"].combine_chunks().drop_null()
        values = values.flatten().to_numpy()
        return values.reshape(len(self.explained()), len(self.names), -1)

    def raw(self, ensemble):
        """Rows x outputs: sums of base and leaf values in f64."""
        return self.column(f"parity:raw:{ensemble}")


def ordered(values):
    """Floats as integers of which neighbours are one apart, and zeros of both signs are one."""
    signed = {np.dtype(np.float64): np.int64, np.dtype(np.float32): np.int32}[values.dtype]
    bits = np.ascontiguousarray(values).view(signed).astype(np.int64)
    return np.where(bits < 0, np.int64(np.iinfo(signed).min) - bits, bits)


def compared(found, expected):
    """Two arrays of one type and shape, of which neither has NaN where the other has a number."""
    found, expected = np.asarray(found), np.asarray(expected)
    if found.dtype != expected.dtype or found.shape != expected.shape:
        raise ValueError(f"{found.dtype} {found.shape} is not {expected.dtype} {expected.shape}")
    is_nan = np.isnan(expected)
    return found[~is_nan], expected[~is_nan], bool(np.array_equal(np.isnan(found), is_nan))


def ulps(found, expected):
    """The largest difference in units in the last place; infinite if one is no number."""
    found, expected, agree = compared(found, expected)
    if not agree:
        return float("inf")
    # Of opposite signs the difference may exceed 63 bits, so it is taken in Python's integers.
    pairs = zip(ordered(found).ravel().tolist(), ordered(expected).ravel().tolist())
    return max((abs(one - other) for one, other in pairs), default=0)


def relative_difference(found, expected):
    """The largest difference as a share of what is expected; infinite if one is no number."""
    found, expected, agree = compared(found, expected)
    if not agree:
        return float("inf")
    smallest = np.finfo(np.float64).tiny
    shares = np.abs(found - expected) / np.maximum(np.abs(expected), smallest)
    return float(np.where(found == expected, 0.0, shares).max(initial=0.0))
