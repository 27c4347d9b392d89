"""The peer's half of the Olist backtest: LightGBM's nine separate quantile models.

usage: lightgbm_olist.py BACKTEST_FOLDER [--threads 2]

Reads what `longhaul backtest … --export` wrote: the same feature matrix, the same origins, what was
known at each. Trains on the rows that were delivered at the origin, as everybody does, with 31
leaves, 300 rounds and a learning rate of 0.05, sorts the nine quantiles of each row, and prints
both sides on the rows whose outcome is known. Writes `lightgbm.json` beside the input.
"""

import argparse
import json
import pathlib
import time

import lightgbm
import numpy as np
import polars as pl

LEVELS = np.array([0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.95])
HOURS = [f"hours_p{round(100 * level):02d}" for level in LEVELS]


def figures(actual, quantiles):
    """MAE of the median and mean pinball in days, coverage of the 80% interval."""
    miss = actual[:, None] - quantiles
    pinball = np.maximum(LEVELS * miss, (LEVELS - 1) * miss)
    inside = (actual >= quantiles[:, 1]) & (actual <= quantiles[:, 7])
    return {
        "mae_days": float(np.abs(miss[:, 4]).mean() / 24),
        "mean_pinball_days": float(pinball.mean() / 24),
        "coverage_80": float(inside.mean()),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    folder = arguments.folder
    matrix = pl.read_parquet(folder / "matrix.parquet").to_numpy()
    features = json.loads((folder / "features.json").read_text())
    categorical = [i for i, f in enumerate(features) if f["kind"] != "numeric"]
    labels = pl.read_parquet(folder / "labels.parquet")
    ours = pl.read_parquet(folder / "predictions.parquet")

    rows, quantiles, started = [], [], time.perf_counter()
    for (origin,), known in labels.group_by("origin", maintain_order=True):
        delivered = known.filter(pl.col("role") == "delivered")
        predicted = known.filter(pl.col("role") == "predict")["row"].to_numpy()
        data = lightgbm.Dataset(
            matrix[delivered["row"].to_numpy()],
            delivered["hours"].to_numpy(),
            categorical_feature=categorical,
            free_raw_data=False,
        )
        columns = []
        for level in LEVELS:
            parameters = {
                "objective": "quantile",
                "alpha": level,
                "num_leaves": 31,
                "learning_rate": 0.05,
                "num_threads": arguments.threads,
                "verbose": -1,
                "seed": 1,
            }
            model = lightgbm.train(parameters, data, num_boost_round=300)
            columns.append(model.predict(matrix[predicted]))
        rows.append(predicted)
        quantiles.append(np.sort(np.stack(columns, axis=1), axis=1))
        print(f"{origin:%Y-%m-%d} trained on {len(delivered)}, predicted {len(predicted)}", flush=True)

    actual = ours["actual_hours"].to_numpy()
    judged = ~np.isnan(actual.astype(float))
    theirs = figures(actual[judged], np.vstack(quantiles)[judged])
    mine = figures(actual[judged], ours.select(HOURS).to_numpy()[judged])
    result = {
        "rows": int(judged.sum()),
        "longhaul": mine,
        "lightgbm": theirs,
        "lightgbm_version": lightgbm.__version__,
        "lightgbm_seconds": time.perf_counter() - started,
        "ratio_mean_pinball": mine["mean_pinball_days"] / theirs["mean_pinball_days"],
        "ratio_mae": mine["mae_days"] / theirs["mae_days"],
    }
    (folder / "lightgbm.json").write_text(json.dumps(result, indent=2) + "\n")
    print(f"\n{'':10}{'MAE, days':>12}{'pinball, days':>16}{'80% covers':>13}")
    for name in ("longhaul", "lightgbm"):
        f = result[name]
        print(f"{name:10}{f['mae_days']:12.3f}{f['mean_pinball_days']:16.4f}{f['coverage_80']:13.1%}")
    print(f"\nratio of mean pinball {result['ratio_mean_pinball']:.3f} on {result['rows']} rows")


if __name__ == "__main__":
    main()
