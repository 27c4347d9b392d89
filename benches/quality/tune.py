"""Which settings the tuned peers get: one step after the other, at early origins only.

usage: tune.py EXPORT [--sizes]

EXPORT is a backtest that was exported with the weekly origins from 2017-05-01 to 2017-06-26. From our
settings each parameter is tried in turn with the values of `GRID`, and the best mean pinball of 0.1, 0.5
and 0.9 over all of these origins is kept. At the end the ways to make intervals conformal are compared
with all nine levels. Prints every trial.

The size of the ensemble is ours. `--sizes` tries others, early and at `LATER` origins: what is best on the
5,000 to 17,000 rows of the early ones is too small later, and would make the peer weaker.
"""

import argparse
import concurrent.futures
import itertools
import multiprocessing

import numpy as np

import peers
from export import LEVELS, Export

FIRST, LAST = "2017-05-01", "2017-06-26"
LATER = ["2017-10-02", "2017-12-04", "2018-02-05", "2018-04-09"]
GRID = {
    "min_data_in_leaf": [20, 50, 100, 200],
    "bagging": [(1.0, 0), (0.7, 1), (0.4, 1)],
    "lambda_l2": [0.0, 1.0, 10.0],
    "feature_fraction_bynode": [0.3, 0.6, 1.0],
}
# Leaves, and rounds with their learning rate.
SIZES = [
    (31, (120, 0.1)),
    (15, (120, 0.1)),
    (15, (240, 0.05)),
    (7, (120, 0.1)),
    (7, (60, 0.1)),
    (5, (120, 0.05)),
]
START = {
    "num_leaves": 15,
    "rounds": (120, 0.1),
    "min_data_in_leaf": 100,
    "bagging": (1.0, 0),
    "lambda_l2": 1.0,
    "feature_fraction_bynode": 0.3,
}
CONFORMAL = [("none", False), *itertools.product(["pairs", "levels"], [False, True])]
FEW = np.array([0.1, 0.5, 0.9])


def settings_of(chosen, conformal="none", refit=False):
    parameters = {key: value for key, value in chosen.items() if key not in ("rounds", "bagging")}
    rounds, parameters["learning_rate"] = chosen["rounds"]
    if chosen["bagging"][1]:
        parameters["bagging_fraction"], parameters["bagging_freq"] = chosen["bagging"]
    return {
        "rows": "mature",
        "rounds": rounds,
        "parameters": parameters,
        "conformal": conformal,
        "refit": refit,
    }


def start(folder):
    global EXPORT, ACTUAL
    EXPORT = Export(folder)
    EXPORT.read_forecasts()
    ACTUAL = {origin: EXPORT.actual[EXPORT.origin == origin] for origin in EXPORT.origins}


def losses(task):
    """Pinball in days, and coverage of the 80% interval, summed over the rows."""
    settings, origin, levels = task
    actual = ACTUAL[origin]
    known = ~np.isnan(actual)
    quantiles = peers.Work(EXPORT, origin, settings, levels).quantiles()[known]
    miss = actual[known][:, None] - quantiles
    pinball = np.maximum(levels * miss, (levels - 1) * miss).mean(axis=1).sum() / 24
    low, high = list(levels).index(0.1), list(levels).index(0.9)
    inside = (miss[:, low] >= 0) & (miss[:, high] <= 0)
    return pinball, inside.sum(), known.sum()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--sizes", action="store_true")
    arguments = parser.parse_args()
    early = [origin for origin in Export(arguments.folder).origins if FIRST <= origin <= LAST]
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(2, context, start, (arguments.folder,))
    seen = {}

    def trial(chosen, *conformal, origins=early):
        settings = settings_of(chosen, *conformal)
        key = repr((settings, bool(conformal), origins))
        if key not in seen:
            tasks = [(settings, origin, LEVELS if conformal else FEW) for origin in origins]
            pinball, inside, rows = np.sum(list(pool.map(losses, tasks)), axis=0)
            seen[key] = pinball / rows
            when = f"{origins[0]} to {origins[-1]}"
            print(f"{seen[key]:.4f} days, covers {inside / rows:.1%}, {when}  {chosen} {conformal}", flush=True)
        return seen[key]

    best = dict(START)
    if arguments.sizes:
        for leaves, rounds in SIZES:
            sized = {**best, "num_leaves": leaves, "rounds": rounds}
            for origins in (early, LATER):
                trial(sized, origins=origins)
        return
    for name in GRID:
        best = min(({**best, name: value} for value in GRID[name]), key=trial)
    print(f"best: {best}", flush=True)
    for conformal in CONFORMAL:
        trial(best, *conformal)


if __name__ == "__main__":
    main()
