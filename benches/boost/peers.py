"""One measured run of a peer in Python, a process of its own so that memory is its own too.

usage: peers.py PEER --train FOLDER --test FOLDER --objective OBJECTIVE --predictions FILE [--params JSON]
       peers.py lightgbm --origins FOLDER --predictions FILE [--params JSON]

PEER is lightgbm, xgboost or catboost; WORK is squared, quantile:LEVEL or quantiles9. The clock
runs from a matrix in memory to the trained model, the peer's own data set included; that is also
when the peak of memory counts. Writes the predictions as plain f32 row by row, and prints a line of
JSON.

The parameters come from `run.py`: rounds, leaves, bins, learning_rate, rows_in_leaf_min, threads,
for LightGBM whether gradients are quantized (`quantized`), for XGBoost whether a tree has all levels in
its leaves (`vector_leaf`), for both which share of the rows a tree is grown on (`row_fraction`). Where a peer has no such parameter its function says so.
"""

import argparse
import ctypes
import json
import os
import pathlib
import time

# A peer that spins on a busy core makes every figure meaningless.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("POLARS_MAX_THREADS", "2")

import numpy as np
import polars as pl

NINE = [0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.95]
TARGETS = ["outcome", "value", "observed"]
# XGBoost's `multi_strategy`, by whether leaves are vectors.
STRATEGIES = {False: "one_output_per_tree", True: "multi_output_tree"}


class Data:
    """The first rows of a folder of parts. Shapes: matrix n_rows x n_features, row-major."""

    def __init__(self, folder, rows=None, targets=TARGETS):
        parts = sorted(folder.glob("*.parquet"))
        scan = pl.scan_parquet(parts)
        n_rows = scan.select(pl.len()).collect().item()
        n_rows = min(n_rows, rows or n_rows)
        self.names = [n for n in scan.collect_schema().names() if n not in TARGETS]
        self.categorical = [i for i, name in enumerate(self.names) if name.startswith("c")]
        self.matrix = np.empty((n_rows, len(self.names)), np.float32)
        # Part by part and column by column, so that nothing but the matrix grows with the rows.
        self.targets = {name: [] for name in targets}
        begin = 0
        for part in parts:
            end = begin
            for i, name in enumerate([*self.names, *targets]):
                column = pl.read_parquet(part, columns=[name], n_rows=n_rows - begin).to_series()
                end = begin + len(column)
                if name in self.targets:
                    self.targets[name].append(column.to_numpy().copy())
                else:
                    self.matrix[begin:end, i] = column.to_numpy()
            begin = end
            if begin == n_rows:
                break
        self.targets = {name: np.concatenate(parts) for name, parts in self.targets.items()}


class Clock:
    """Seconds and memory of what is done inside, where `data` is at hand."""

    def __init__(self, data):
        targets = sum(target.nbytes for target in data.targets.values())
        self.data_mib = (data.matrix.nbytes + targets) / 2**20

    def __enter__(self):
        # What reading left behind is not the peer's.
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        self.start_mib = mib("VmRSS")
        try:
            pathlib.Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            pass
        self.started = time.perf_counter()
        return self

    def __exit__(self, *_):
        self.seconds = time.perf_counter() - self.started
        self.peak_mib = mib("VmHWM")


def mib(name):
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024
    raise LookupError(name)


def levels_of(work):
    if work == "squared":
        return None
    return NINE if work == "quantiles9" else [float(work.removeprefix("quantile:"))]


def lightgbm_parameters(params):
    fraction = params.get("row_fraction")
    # Drawn anew for each tree, as ours are.
    sampled = {"bagging_fraction": fraction, "bagging_freq": 1} if fraction else {}
    return sampled | {
        "num_leaves": params["leaves"],
        "max_bin": params["bins"],
        "learning_rate": params["learning_rate"],
        "min_data_in_leaf": params["rows_in_leaf_min"],
        "use_quantized_grad": params.get("quantized", False),
        "num_threads": params["threads"],
        "verbosity": -1,
        "seed": 1,
    }


def lightgbm(arguments, params):
    """Nine quantiles are nine models; they share one data set."""
    import lightgbm as peer

    train = Data(arguments.train, arguments.rows, ["outcome"])
    clock = Clock(train)
    settings, levels = lightgbm_parameters(params), levels_of(arguments.objective)
    models = []
    with clock:
        data = peer.Dataset(
            train.matrix,
            train.targets["outcome"],
            categorical_feature=train.categorical,
            params=settings,
        )
        for level in levels or [None]:
            loss = {"objective": "regression"}
            if level is not None:
                loss = {"objective": "quantile", "alpha": level}
            models.append(peer.train(settings | loss, data, num_boost_round=params["rounds"]))
    return clock, peer, lambda test: np.stack([model.predict(test) for model in models], axis=1)


def xgboost(arguments, params):
    """Several quantiles are one model: a tree for each in every round, or one tree with vector leaves.
    Survival on censored rows.

    `rows_in_leaf_min` is the least sum of hessians. It counts rows for the squared error only: the
    quantile loss is a smoothed one, whose hessian is 12.5 for a row that is predicted exactly and
    falls with its distance. A tree is grown leaf by leaf, as LightGBM's and ours are.
    """
    import xgboost as peer

    targets = ["value", "observed"] if arguments.censored else ["outcome"]
    train = Data(arguments.train, arguments.rows, targets)
    clock = Clock(train)
    settings = {
        "tree_method": "hist",
        "grow_policy": "lossguide",
        "max_leaves": params["leaves"],
        "max_depth": 0,
        "max_bin": params["bins"],
        "learning_rate": params["learning_rate"],
        "subsample": params.get("row_fraction", 1.0),
        "multi_strategy": STRATEGIES[params.get("vector_leaf", False)],
        "nthread": params["threads"],
        "seed": 1,
        "verbosity": 0,
    }
    types = ["c" if i in train.categorical else "q" for i in range(len(train.names))]
    common = {"feature_types": types, "enable_categorical": True, "nthread": params["threads"]}
    levels = levels_of(arguments.objective)
    if arguments.censored:
        return survival(peer, clock, train, settings, common, params, levels)
    settings["min_child_weight"] = params["rows_in_leaf_min"]
    if levels is None:
        settings["objective"] = "reg:squarederror"
    else:
        settings |= {"objective": "reg:quantileerror", "quantile_alpha": levels}
    with clock:
        target = train.targets["outcome"]
        data = peer.QuantileDMatrix(train.matrix, target, max_bin=params["bins"], **common)
        model = peer.train(settings, data, num_boost_round=params["rounds"])
    return clock, peer, lambda test: model.predict(peer.DMatrix(test, **common))


def survival(peer, clock, train, settings, common, params, levels):
    """Accelerated failure time: the logarithm is normal around what the trees say.

    Its spread is one number for all rows, and a parameter. Here it is the most likely one: after
    twenty rounds on a part of the rows for training, and again after training for the quantiles.
    Both fits are outside the clock, in the peer's favour.
    """
    from scipy.optimize import minimize_scalar
    from scipy.stats import norm

    value, observed = train.targets["value"], train.targets["observed"].astype(bool)
    upper = np.where(observed, value, np.inf)
    settings |= {
        "objective": "survival:aft",
        "aft_loss_distribution": "normal",
        # Without it the first rounds go into finding the unit of time.
        "base_score": float(np.exp(np.log(value).mean())),
    }

    def matrix(rows):
        bounds = {"label_lower_bound": value[rows], "label_upper_bound": upper[rows]}
        return peer.QuantileDMatrix(train.matrix[rows], max_bin=params["bins"], **bounds, **common)

    def likeliest(model, rows):
        middle = np.log(model.predict(peer.DMatrix(train.matrix[rows], **common)))
        z, seen = np.log(value[rows]) - middle, observed[rows]

        def minus_log_likelihood(log_scale):
            scale = np.exp(log_scale)
            known = norm.logpdf(z[seen] / scale) - log_scale
            return -known.sum() - norm.logsf(z[~seen] / scale).sum()

        return float(np.exp(minimize_scalar(minus_log_likelihood, bounds=(-4, 2)).x))

    sample = slice(0, 50_000)
    settings["aft_loss_distribution_scale"] = 0.5
    few = peer.train(settings, matrix(sample), num_boost_round=min(20, params["rounds"]))
    settings["aft_loss_distribution_scale"] = likeliest(few, sample)
    with clock:
        model = peer.train(settings, matrix(slice(None)), num_boost_round=params["rounds"])
    scale = likeliest(model, slice(0, 200_000))

    def predict(test):
        middle = model.predict(peer.DMatrix(test, **common))
        return middle[:, None] * np.exp(scale * norm.ppf(levels))[None, :]

    return clock, peer, predict


def catboost(arguments, params):
    """Symmetric trees, its own kind, of depth 6: 64 leaves, where the others have 63.

    They have no least number of rows in a leaf. Categories must be whole numbers, missing ones too;
    that is done before the clock starts.
    """
    import catboost as peer
    import pandas as pd

    train = Data(arguments.train, arguments.rows, ["outcome"])
    clock = Clock(train)
    levels = levels_of(arguments.objective)
    if levels is None:
        loss = "RMSE"
    elif len(levels) == 1:
        loss = f"Quantile:alpha={levels[0]}"
    else:
        loss = "MultiQuantile:alpha=" + ",".join(map(str, levels))

    def frame(data):
        columns = {}
        for i, name in enumerate(data.names):
            column = data.matrix[:, i]
            if i in data.categorical:
                column = np.nan_to_num(column, nan=-1).astype(int)
            columns[name] = column
        return pd.DataFrame(columns, copy=False)

    known = frame(train)
    with clock:
        pool = peer.Pool(
            known,
            train.targets["outcome"],
            cat_features=train.categorical,
            thread_count=params["threads"],
        )
        model = peer.CatBoostRegressor(
            loss_function=loss,
            iterations=params["rounds"],
            learning_rate=params["learning_rate"],
            depth=max(1, round(np.log2(params["leaves"]))),
            border_count=params["bins"] - 1,
            thread_count=params["threads"],
            random_seed=1,
            allow_writing_files=False,
            verbose=False,
        )
        model.fit(pool)

    def predict(test):
        data = Data.__new__(Data)
        data.names, data.categorical, data.matrix = train.names, train.categorical, test
        return model.predict(frame(data), thread_count=params["threads"])

    return clock, peer, predict


def origins(arguments, params):
    """LightGBM's nine models at each origin of an exported backtest, from the delivered rows."""
    import lightgbm as peer

    folder = arguments.origins
    matrix = pl.read_parquet(folder / "matrix.parquet").to_numpy()
    features = json.loads((folder / "features.json").read_text())
    categorical = [i for i, feature in enumerate(features) if feature["kind"] != "numeric"]
    labels = pl.read_parquet(folder / "labels.parquet")
    settings = lightgbm_parameters(params)
    seconds, rows, predictions = 0.0, 0, []
    for _, known in labels.group_by("origin", maintain_order=True):
        delivered = known.filter(pl.col("role") == "delivered")
        to_predict = matrix[known.filter(pl.col("role") == "predict")["row"].to_numpy()]
        taken, hours = matrix[delivered["row"].to_numpy()], delivered["hours"].to_numpy()
        started = time.perf_counter()
        data = peer.Dataset(taken, hours, categorical_feature=categorical, params=settings)
        models = [
            peer.train(
                settings | {"objective": "quantile", "alpha": level}, data, params["rounds"]
            )
            for level in NINE
        ]
        seconds += time.perf_counter() - started
        rows += len(delivered)
        predictions.append(np.stack([model.predict(to_predict) for model in models], axis=1))
    write(arguments.predictions, np.concatenate(predictions))
    figures = {"rows": rows, "origins": len(predictions), "seconds": seconds}
    return {"engine": "lightgbm", "version": peer.__version__, **figures}


def write(path, predictions):
    np.ascontiguousarray(predictions, dtype="<f4").tofile(path)


def main():
    peers = {"lightgbm": lightgbm, "xgboost": xgboost, "catboost": catboost}
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("peer", choices=peers)
    parser.add_argument("--train", type=pathlib.Path)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--test", type=pathlib.Path)
    parser.add_argument("--objective")
    parser.add_argument("--censored", action="store_true")
    parser.add_argument("--origins", type=pathlib.Path)
    parser.add_argument("--params", type=json.loads, required=True)
    parser.add_argument("--predictions", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    if arguments.origins:
        print(json.dumps(origins(arguments, arguments.params)))
        return
    if arguments.censored and arguments.peer != "xgboost":
        parser.error(f"{arguments.peer} has no row for censored data")
    clock, peer, predict = peers[arguments.peer](arguments, arguments.params)
    test = Data(arguments.test, targets=[])
    started = time.perf_counter()
    predictions = predict(test.matrix)
    predict_seconds = time.perf_counter() - started
    write(arguments.predictions, predictions)
    figures = {
        "engine": arguments.peer,
        "version": peer.__version__,
        "rounds": arguments.params["rounds"],
        "seconds": clock.seconds,
        "predict_seconds": predict_seconds,
        "data_mib": clock.data_mib,
        "start_mib": clock.start_mib,
        "peak_mib": clock.peak_mib,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
