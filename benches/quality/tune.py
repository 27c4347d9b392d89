"""Which settings the tuned peers get: one step after the other, at early origins only.

usage: tune.py EXPORT [--every 1]

EXPORT is a backtest that was exported with the weekly origins from 2017-05-01 to 2017-06-26. From a
start like ours each parameter is tried in turn with the values of `GRID`, and the best mean pinball
over all of these origins is kept; then all of them once more. At the end the ways to make intervals
conformal are compared with it. Prints every trial.
"""

import argparse
import concurrent.futures
import itertools
import multiprocessing

import numpy as np

import peers
from export import LEVELS, Export

FIRST, LAST = "2017-05-01", "2017-06-26"
# Rounds and learning rate go together.
GRID = {
    "num_leaves": [7, 15, 31],
    "rounds": [(120, 0.1), (60, 0.1), (200, 0.05), (300, 0.05), (400, 0.02)],
    "min_data_in_leaf": [20, 50, 100, 200],
    "bagging": [(1.0, 0), (0.7, 1), (0.4, 1)],
    "lambda_l2": [0.0, 1.0, 10.0],
    "feature_fraction_bynode": [0.3, 0.6, 1.0],
}
START = {
    "num_leaves": 15,
    "rounds": (120, 0.1),
    "min_data_in_leaf": 100,
    "bagging": (1.0, 0),
    "lambda_l2": 1.0,
    "feature_fraction_bynode": 0.3,
}
CONFORMAL = list(itertools.product(["none", "pairs", "levels"], [False, True]))


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
    """Pinball of each level in days, and coverage of the 80% interval, summed over the rows."""
    settings, origin = task
    actual = ACTUAL[origin]
    known = ~np.isnan(actual)
    quantiles = peers.Work(EXPORT, origin, settings).quantiles()[known]
    miss = actual[known][:, None] - quantiles
    pinball = np.maximum(LEVELS * miss, (LEVELS - 1) * miss).mean(axis=1).sum() / 24
    inside = (miss[:, 1] >= 0) & (miss[:, 7] <= 0)
    return pinball, inside.sum(), known.sum()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--every", type=int, default=1, help="every so many origins")
    arguments = parser.parse_args()
    origins = [origin for origin in Export(arguments.folder).origins if FIRST <= origin <= LAST]
    origins = origins[:: arguments.every]
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(2, context, start, (arguments.folder,))
    seen = {}

    def trial(chosen, *conformal):
        settings = settings_of(chosen, *conformal)
        key = repr(settings)
        if key not in seen:
            pinball, inside, rows = np.sum(
                list(pool.map(losses, [(settings, origin) for origin in origins])), axis=0
            )
            seen[key] = pinball / rows
            print(f"{seen[key]:.4f} days, covers {inside / rows:.1%}  {chosen} {conformal}", flush=True)
        return seen[key]

    best = dict(START)
    for _ in range(2):
        for name, values in GRID.items():
            best = min(({**best, name: value} for value in values), key=trial)
    for conformal in CONFORMAL:
        trial(best, *conformal)
    print(f"best: {best}")


if __name__ == "__main__":
    main()
