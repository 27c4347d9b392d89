"""The data of `make bench-boost`: simulated deliveries, from a seed.

usage: simulated_data.py FOLDER [--rows 1000000] [--seed 1]

Forty features of type f32: 35 numbers (`n00` … `n34`) and 5 categories (`c8` … `c2000`, named
after how many levels they have; their codes are whole numbers without an order). NaN is missing: a
tenth of all values, for some columns depending on the value, for some with an effect of its own.
`outcome` is hours until delivery: positive, skewed to the right, with a spread that depends on the
features too. Interactions have marginal effects, or boosting could not find them.

`value` and `observed` are the same outcome as known before everything has arrived: a tenth of the
rows are younger than their delivery time, and of those `value` is the age.

Written in parts of 250,000 rows, each from a seed of its own, so that ten million rows need the
memory of one part, and a million rows are the first four parts of ten million. What exists is not
written again; the folder's name holds a digest of this file. Prints the folder.
"""

import argparse
import hashlib
import os
import pathlib

import numpy as np
import polars as pl

PART_ROWS = 250_000
TEST_ROWS = 200_000
N_NUMBERS = 35
LEVELS = [8, 30, 120, 500, 2000]
SHARE_MISSING = 0.1
SHARE_OPEN = 0.1
YOUNG_HOURS = 240.0
# Streams of random numbers: for constants, training, testing, and the pilot.
CONSTANTS, TRAIN, TEST, PILOT = range(4)


class Simulation:
    """The constants of a simulation: the effects of its categories, and the share of young rows."""

    def __init__(self, seed):
        self.seed = seed
        random = np.random.default_rng([seed, CONSTANTS])
        self.popularity, self.location = [], []
        for n_levels, spread in zip(LEVELS, [0.15, 0.15, 0.15, 0.2, 0.2]):
            # Few levels are frequent, in random order of their codes.
            weights = random.permutation(1.0 / (np.arange(n_levels) + 5.0) ** 0.8)
            self.popularity.append(np.cumsum(weights) / weights.sum())
            self.location.append(random.normal(0.0, spread, n_levels))
        self.slope_8 = random.normal(0.0, 0.1, LEVELS[0])
        self.scale_30 = random.normal(0.0, 0.25, LEVELS[1])
        self.share_young = 1.0
        pilot = self.part(PILOT, 0, 50_000)
        self.share_young = SHARE_OPEN / (1.0 - pilot["observed"].mean())

    def part(self, stream, index, n_rows):
        """The columns of one part."""
        random = np.random.default_rng([self.seed, stream, index])
        z = random.standard_normal((N_NUMBERS, n_rows))
        z[5:13] = 0.8 * z[5:13] + 0.6 * random.standard_normal(n_rows)
        hour = random.uniform(0.0, 24.0, n_rows)
        weekday = random.integers(0, 7, n_rows)
        codes = [np.searchsorted(p, random.uniform(size=n_rows)) for p in self.popularity]
        missing = self.missing(random, z, n_rows)

        weekend = weekday >= 5
        location = (
            4.0
            + 0.22 * z[0]
            + 0.10 * np.tanh(z[1])
            + 0.10 * np.sin(2 * np.pi * hour / 24)
            + 0.12 * weekend * (1 + 0.5 * np.tanh(z[0]))
            + 0.20 * np.tanh(z[4])
            + 0.12 * missing[5]
            + 0.10 * z[5]
            + 0.08 * z[6]
            + 0.20 * np.tanh(z[5]) * np.tanh(z[6])
            + 0.12 * ((z[7] > 0.5) & (z[8] < 0))
            + 0.08 * np.abs(z[9])
            + 0.03 * z[10:16].sum(axis=0)
            + self.slope_8[codes[0]] * z[13]
        )
        for effect, code in zip(self.location, codes):
            location += effect[code]
        spread = 0.18 * np.exp(
            0.35 * np.tanh(z[16])
            + 0.25 * (z[17] > 0.3)
            + 0.15 * np.tanh(z[0])
            + 0.20 * weekend
            + self.scale_30[codes[1]]
        )
        late = spread * random.exponential(size=n_rows)
        noise = np.exp(spread * random.standard_normal(n_rows)) + late
        outcome = (6.0 + np.exp(location) * noise).astype(np.float32)
        young = random.uniform(size=n_rows) < self.share_young
        age = np.where(young, random.uniform(0.0, YOUNG_HOURS, n_rows), np.inf).astype(np.float32)

        numbers = z
        numbers[0] = np.exp(5.5 + z[0])
        numbers[1] = np.exp(0.5 + 1.1 * z[1])
        numbers[2] = hour
        numbers[3] = weekday
        numbers[4] = np.floor(40 * np.exp(0.7 * z[4]))
        # Some numbers have few values.
        numbers[18:24] = np.round(2 * z[18:24]) / 2
        numbers[24:26] = np.floor(np.exp(0.8 * z[24:26]))
        columns = {}
        for i in range(N_NUMBERS):
            columns[f"n{i:02d}"] = np.where(missing[i], np.nan, numbers[i]).astype(np.float32)
        for n_levels, code, gone in zip(LEVELS, codes, missing[N_NUMBERS:]):
            columns[f"c{n_levels}"] = np.where(gone, np.nan, code).astype(np.float32)
        columns["outcome"] = outcome
        columns["value"] = np.minimum(outcome, age)
        columns["observed"] = outcome <= age
        return columns

    def missing(self, random, z, n_rows):
        """Which values are missing. Shapes: n_features x n_rows."""
        n_features = N_NUMBERS + len(LEVELS)
        # The hour and the weekday are always known, the distance nearly always.
        fixed = {0: 0.02, 2: 0.0, 3: 0.0}
        rest = (SHARE_MISSING * n_features - sum(fixed.values())) / (n_features - len(fixed))
        share = np.array([fixed.get(i, rest) for i in range(n_features)])
        chance = random.random((n_features, n_rows), dtype=np.float32)
        missing = chance < share[:, None]
        # A long queue is often not counted.
        missing[4] = chance[4] < np.where(z[4] > 0.8, 0.3, 0.06)
        return missing


def write(columns, path):
    """Writes whole files only: one that exists is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    pl.DataFrame(columns).write_parquet(unfinished, compression="uncompressed", statistics=False)
    os.replace(unfinished, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    digest = hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest()[:8]
    folder = arguments.folder / f"simulated-{arguments.seed}-{digest}"
    simulation = None
    for index in range(-(-arguments.rows // PART_ROWS)):
        path = folder / "train" / f"part-{index:04d}.parquet"
        if not path.exists():
            simulation = simulation or Simulation(arguments.seed)
            write(simulation.part(TRAIN, index, PART_ROWS), path)
    path = folder / "test" / "part-0000.parquet"
    if not path.exists():
        simulation = simulation or Simulation(arguments.seed)
        columns = simulation.part(TEST, 0, TEST_ROWS)
        # The outcomes as plain numbers too, for computing losses.
        path.parent.mkdir(parents=True, exist_ok=True)
        columns["outcome"].astype("<f4").tofile(path.parent / "outcome.f32")
        write(columns, path)
    print(folder)


if __name__ == "__main__":
    main()
