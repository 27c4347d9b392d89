"""`make bench-boost`: our training against its peers, on the same files and the same machine.

usage: run.py --ours PROGRAM --peers PROGRAM [--rows 1000000] [--rounds N] [--repeats 5]
              [--only NAMES] [--keep] [--keep-theirs] [--check] [--limit 7200] [--folder .bench]
              [--longhaul PROGRAM] [--olist FOLDER | --olist-export FOLDER]
              [--simulated-export FOLDER]

Each run is a process of its own, ours and theirs in turn; figures are medians. A time is that from
columns in memory to a trained model, binning included. Memory is that of the data plus what training
took at its peak beyond what the process held when it began: an interpreter, and what reading left
behind, are no part of training. Losses are of 200,000 rows that were not trained on; quantiles of
peers are sorted first, which can only help them.

Prints a table and writes `bench-boost.json` after every row of work, so that what is killed loses
nothing. `--keep` takes rows from there that were measured with the same parameters; after a change
of code, which it cannot see, leave it out. `--keep-theirs` takes the peers' runs from earlier ones:
for trying out an idea quickly, not for figures to quote, as they are no longer in turn.
"""

import argparse
import hashlib
import json
import os
import pathlib
import statistics
import subprocess
import sys

import numpy as np
import polars as pl

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from table import Failed, finish, is_wanted, line, machine, plain, show_now, write  # noqa: E402

NINE = [0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.95]
OVER_HOURS = 72.0
OBJECTIVES = {
    "squared": "squared",
    "q90": "quantile:0.9",
    "nine": "quantiles9",
    "over": f"over:{OVER_HOURS}",
}
TITLES = {
    "squared": "squared error",
    "q90": "quantile 0.9",
    "nine": "nine quantiles",
    "over": "over three days",
}
LOSSES = {
    "squared": "RMSE",
    "q90": "pinball",
    "nine": "mean pinball",
    "over": "share of wrong answers",
}
THREADS = 2

# The parameters that all share, in neutral names that are translated for every peer.
THEIRS = {
    "rounds": 200,
    "leaves": 63,
    "bins": 255,
    "learning_rate": 0.1,
    "rows_in_leaf_min": 20,
    "threads": THREADS,
}

# What a peer's name may end with, and what it adds. Ours chooses splits on a share of the rows too.
SAMPLED = 0.4
OPTIONS = {
    "quantized": {"quantized": True},
    "sampled": {"row_fraction": SAMPLED},
    "vector": {"vector_leaf": True},
}

# The peer on real orders: as peer a of `make bench-quality`.
THEIRS_OLIST = THEIRS | {"rounds": 300, "leaves": 31, "learning_rate": 0.05}

# Ours, by row of the table: fields of `boost::Params`; what is left out has its default there.
SAME = {"rounds": 200, "leaves": 63, "bins_max": 255, "learning_rate": 0.1, "threads": THREADS}
ALL_FEATURES = {"feature_fraction_per_split": 1.0}
PARAMS = {
    # A share of the rows chooses the splits of a tree: nearly as good for these many, and faster.
    "squared": SAME | ALL_FEATURES | {"rows_in_leaf_min": 20, "row_fraction_per_tree": SAMPLED},
    "q90": SAME | ALL_FEATURES | {"rows_in_leaf_min": 20, "row_fraction_per_tree": SAMPLED},
    "nine": SAME | ALL_FEATURES | {"rows_in_leaf_min": 20, "row_fraction_per_tree": SAMPLED},
    "censored": SAME | ALL_FEATURES | {"rows_in_leaf_min": 20},
    "over": SAME | ALL_FEATURES | {"rows_in_leaf_min": 20},
    "simulated": SAME | {"rows_in_leaf_min": 200},
    # As in pipelines/olist.toml: chosen at weekly origins from 2017-05-01 to 2017-09-25, before
    # those that are judged.
    "olist": {"threads": THREADS, "leaves": 15, "feature_fraction_per_split": 0.3},
}

# Of time, and of loss, at most so many times the peer's. A time of 1 means: faster.
TARGETS = {
    "squared lightgbm": (0.35, 1.002),
    "squared lightgbm-sampled": (1.0, 1.0),
    "squared lightgbm-quantized": (1.0, 1.002),
    "squared xgboost": (1.0, 1.002),
    "squared xgboost-sampled": (1.0, 1.0),
    "squared catboost": (1.0, 1.002),
    "squared hessboost": (1.0, 1.002),
    "squared hessboost-quantized": (1.0, 1.002),
    "squared perpetual": (1.0, 1.002),
    "q90 lightgbm": (0.35, 1.0),
    "q90 lightgbm-sampled": (1.0, 1.0),
    "q90 lightgbm-quantized": (1.0, 1.002),
    "q90 xgboost": (1.0, 1.002),
    "q90 xgboost-sampled": (1.0, 1.0),
    "q90 catboost": (1.0, 1.002),
    "q90 hessboost": (1.0, 1.002),
    "q90 hessboost-quantized": (1.0, 1.002),
    "q90 perpetual": (1.0, 1.002),
    "nine lightgbm": (0.06, 1.0),
    "nine lightgbm-sampled": (1.0, 1.0),
    "nine xgboost": (1.0, 1.0),
    "nine xgboost-sampled": (1.0, 1.0),
    "nine xgboost-vector": (1.0, 1.0),
    "nine xgboost-vector-sampled": (1.0, 1.0),
    "nine catboost": (1.0, 1.0),
    "nine hessboost": (1.0, 1.0),
    "squared smartcore": (1.0, 1.002),
    "squared smartcore-extra": (1.0, 1.002),
    # One tree against two hundred: their times say nothing of each other.
    "over linfa": (None, 1.002),
}
# The first three sort every column in every node; the product gives them a sample of so many rows
# too. perpetual was not done with a million after ten minutes, nor with 50,000 after 100 seconds.
FEW_ROWS = {"smartcore": 20_000, "smartcore-extra": 20_000, "linfa": 20_000, "perpetual": 20_000}
MEMORY_TARGET = 1.0
SCALING_TARGET = 10.5
SCALED = ("squared", "nine")
CENSORED_TIME_TARGET = 1.3
SURVIVAL_TARGETS = (1.0, 1.0)
SIMULATED_TARGETS = (0.06, 1.0)
OLIST_TARGETS = {"censored": 0.77, "delivered": 0.98}

PEER_NAMES = {
    "lightgbm": "LightGBM",
    "xgboost": "XGBoost",
    "catboost": "CatBoost",
    "hessboost": "hessboost",
    "perpetual": "perpetual",
    "smartcore": "smartcore's random forest",
    "smartcore-extra": "smartcore's extra trees",
    "linfa": "linfa's tree",
}


OPTION_NAMES = {
    "quantized": "with quantized gradients",
    "sampled": f"on {SAMPLED:.0%} of the rows",
    "vector": "with vector leaves",
}


def split_peer(name):
    """A peer's own name, and its options."""
    words = name.split("-")
    return "-".join(w for w in words if w not in OPTIONS), [w for w in words if w in OPTIONS]


def peer_title(name):
    peer, options = split_peer(name)
    return " ".join([PEER_NAMES[peer], *(OPTION_NAMES[option] for option in options)])


class Runs:
    """Starts the processes, and keeps what they printed."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.folder = arguments.folder
        (self.folder / "runs").mkdir(parents=True, exist_ok=True)
        self.environment = os.environ | {
            # A peer that spins on a busy core makes every figure meaningless.
            "OMP_WAIT_POLICY": "passive",
            "OMP_NUM_THREADS": str(THREADS),
            "RAYON_NUM_THREADS": str(THREADS),
            "POLARS_MAX_THREADS": str(THREADS),
        }
        make = [sys.executable, HERE / "simulated_data.py", self.folder]
        make += ["--rows", str(self.most_rows())]
        print(f"data: {self.most_rows():,} rows to train on", flush=True)
        made = subprocess.run([str(part) for part in make], capture_output=True, text=True)
        if made.returncode:
            raise SystemExit(made.stderr)
        self.data = pathlib.Path(made.stdout.strip())
        self.truth = np.fromfile(self.data / "test" / "outcome.f32", "<f4").astype(float)

    def most_rows(self):
        """Ten times the rows, if scaling is measured."""
        scales = any(wanted(self.arguments, f"scaling {work}") for work in SCALED)
        return self.arguments.rows * (10 if scales else 1)

    def ours(self, work, params, rows=None, censored=False):
        tail = self.tables(work, rows, censored)
        return self.run([self.arguments.ours, "train", *tail], self.shorter(params))

    def theirs(self, peer, work, rows=None, censored=False):
        params = THEIRS
        peer, options = split_peer(peer)
        for option in options:
            params = params | OPTIONS[option]
        program = [sys.executable, HERE / "peers.py", peer]
        if peer not in ("lightgbm", "xgboost", "catboost"):
            program = [self.arguments.peers, peer]
        tail = self.tables(work, rows, censored)
        return self.run([*program, *tail], self.shorter(params), self.arguments.keep_theirs)

    def ours_at_origins(self, folder, params, censored):
        command = [self.arguments.ours, "origins", "--folder", folder]
        return self.run(command + ["--censored"] * censored, self.shorter(params))

    def theirs_at_origins(self, folder, params, once=False):
        command = [sys.executable, HERE / "peers.py", "lightgbm", "--origins", folder]
        return self.run(command, self.shorter(params), self.arguments.keep_theirs or once)

    def tables(self, work, rows, censored):
        train, test = self.data / "train", self.data / "test"
        tables = ["--train", train, "--rows", rows or self.arguments.rows, "--test", test]
        return [*tables, "--objective", OBJECTIVES[work]] + ["--censored"] * censored

    def shorter(self, params):
        """Fewer rounds for all, in a trial."""
        rounds = self.arguments.rounds
        return params | {"rounds": rounds} if rounds else params

    def run(self, command, params, keep=False):
        command = [str(part) for part in [*command, "--params", json.dumps(params)]]
        name = hashlib.sha256(" ".join(command).encode()).hexdigest()[:16]
        record = self.folder / "runs" / f"{name}.json"
        if keep and record.exists():
            return json.loads(record.read_text())
        predictions = self.folder / "runs" / f"{name}.f32"
        try:
            said = subprocess.run(
                [*command, "--predictions", str(predictions)],
                capture_output=True,
                text=True,
                env=self.environment,
                timeout=self.arguments.limit,
            )
        except subprocess.TimeoutExpired:
            limit = f"took more than {self.arguments.limit} s"
            raise Failed(f"{' '.join(command[:3])} {limit}") from None
        lines = said.stdout.strip().splitlines()
        if said.returncode or not lines:
            last = (said.stderr.strip().splitlines() or ["without a word"])[-1]
            raise Failed(f"{' '.join(command[:3])} ended with {said.returncode}: {last}")
        run = json.loads(lines[-1]) | {"predictions": str(predictions)}
        record.write_text(json.dumps(run))
        print(f"    {run['engine']:10} {run['seconds']:9.2f} s", file=sys.stderr, flush=True)
        return run

    def in_turn(self, ours, theirs):
        pairs = [(ours(), theirs()) for _ in range(self.arguments.repeats)]
        return [ours for ours, _ in pairs], [theirs for _, theirs in pairs]


def median(runs, figure):
    return statistics.median(run[figure] for run in runs)


def memory(runs):
    return statistics.median(run["data_mib"] + run["peak_mib"] - run["start_mib"] for run in runs)


def predictions(run, n_rows):
    return np.fromfile(run["predictions"], "<f4").astype(float).reshape(n_rows, -1)


def pinball(levels, predicted, truth):
    """The mean over rows and levels. Shapes: predicted n_rows x n_levels."""
    miss = truth[:, None] - np.sort(predicted, axis=1)
    levels = np.array(levels)
    return float(np.maximum(levels * miss, (levels - 1) * miss).mean())


def loss(work, run, truth):
    predicted = predictions(run, len(truth))
    if work == "squared":
        return float(np.sqrt(((predicted[:, 0] - truth) ** 2).mean()))
    if work == "over":
        return float(((predicted[:, 0] > 0.5) != (truth > OVER_HOURS)).mean())
    return pinball(NINE if work == "nine" else [0.9], predicted, truth)


def crossing(run, n_rows):
    return int((np.diff(predictions(run, n_rows), axis=1) < 0).any(axis=1).sum())


def times(work, ours, theirs, target):
    seconds = [median(runs, "seconds") for runs in (ours, theirs)]
    return line(f"{work}: seconds", *seconds, target, strict=target == 1.0, runs=[ours, theirs])


def against(runs, work, peer):
    rows = FEW_ROWS.get(peer)
    rows = rows and min(rows, runs.arguments.rows)
    ours, theirs = runs.in_turn(
        lambda: runs.ours(work, PARAMS[work], rows), lambda: runs.theirs(peer, work, rows)
    )
    title = f"{TITLES[work]}, {peer_title(peer)}" + (f", {rows:,} rows" if rows else "")
    time_target, loss_target = TARGETS[f"{work} {peer}"]
    losses = [loss(work, side[-1], runs.truth) for side in (ours, theirs)]
    if time_target is not None:
        yield times(title, ours, theirs, time_target)
    yield line(f"{title}: {LOSSES[work]}", *losses, loss_target)
    if peer == "lightgbm":
        yield line(f"{title}: memory, MiB", memory(ours), memory(theirs), MEMORY_TARGET)
    if work == "nine":
        crossed = [crossing(side[-1], len(runs.truth)) for side in (ours, theirs)]
        yield plain(f"{title}: rows that cross", *crossed, "none", crossed[0] == 0)


def censored_time(runs):
    with_open, without = runs.in_turn(
        lambda: runs.ours("nine", PARAMS["censored"], censored=True),
        lambda: runs.ours("nine", PARAMS["censored"]),
    )
    yield times("10% censored rows, ours without", with_open, without, CENSORED_TIME_TARGET)


def censored_survival(runs):
    ours, theirs = runs.in_turn(
        lambda: runs.ours("nine", PARAMS["censored"], censored=True),
        lambda: runs.theirs("xgboost", "nine", censored=True),
    )
    title = "10% censored rows, XGBoost survival:aft"
    losses = [loss("nine", side[-1], runs.truth) for side in (ours, theirs)]
    yield times(title, ours, theirs, SURVIVAL_TARGETS[0])
    yield line(f"{title}: mean pinball", *losses, SURVIVAL_TARGETS[1])


def scaling(runs, work):
    rows = runs.arguments.rows
    many, few = runs.in_turn(
        lambda: runs.ours(work, PARAMS[work], rows=10 * rows),
        lambda: runs.ours(work, PARAMS[work]),
    )
    if many[0]["rows"] != 10 * rows:
        raise Failed(f"expected {10 * rows:,} rows, trained on {many[0]['rows']:,}")
    yield times(f"{TITLES[work]}, {10 * rows:,} rows, ours {rows:,}", many, few, SCALING_TARGET)


def threads(runs, work, censored):
    params = PARAMS["censored" if censored else work]
    digests = {
        n: runs.ours(work, params | {"threads": n}, censored=censored)["digest"][:8]
        for n in (1, 2, 16)
    }
    many = " ".join(sorted({digests[2], digests[16]}))
    title = f"{TITLES[work]}{', censored' * censored}, 2 and 16 threads, ours 1: digest"
    yield plain(title, many, digests[1], "same", len(set(digests.values())) == 1)


def loss_at_origins(title, folder, ours, theirs, target):
    truth = pl.read_parquet(folder / "predictions.parquet", columns=["actual_hours"]).to_series()
    known = truth.is_not_null().to_numpy()
    truth = truth.cast(pl.Float64).to_numpy()
    # In days, as the other tables are.
    losses = [
        pinball(NINE, predictions(run, len(truth))[known], truth[known]) / 24
        for run in (ours, theirs)
    ]
    detail = {"rows": int(known.sum()), "runs": [ours, theirs]}
    return line(f"{title}: mean pinball, days", *losses, target, **detail)


def longhaul(runs, *arguments):
    """Runs the product, and gives what it says."""
    said = subprocess.run([runs.arguments.longhaul, *arguments], capture_output=True, text=True)
    if said.returncode:
        raise Failed(f"longhaul {arguments[0]}: {(said.stderr.strip().splitlines() or [''])[-1]}")
    return said.stdout


def export(runs, pipeline, store, first, end, every):
    """The folder of a backtest that is run for its matrix and labels; it trains once, briefly."""
    steps = (date(end) - date(first)).days // every + 1
    said = longhaul(
        runs, "backtest", pipeline, "--store", str(store), "--from", first, "--to", end,
        "--every", f"{every}d", "--train-every", f"{steps * every}d", "--export", "--json",
        "--set", "train.boost.rounds=1", "--set", "train.gate.rounds=1",
    )  # fmt: skip
    return store / json.loads(said)["result"]["folder"]


def date(text):
    return np.datetime64(text).astype(object)


def olist(runs, rows):
    arguments = runs.arguments
    folder = arguments.olist_export
    if not folder and not (arguments.olist and arguments.longhaul):
        yield {"work": f"Olist, {rows} rows", "why": "needs DIR=<folder with the public CSVs>"}
        return
    if not folder:
        store = runs.folder / "store-olist"
        longhaul(runs, "import", "olist", "--from", str(arguments.olist), "--store", str(store))
        folder = export(runs, "pipelines/olist.toml", store, "2017-10-01", "2018-04-16", 7)
    title = "Olist, open shipments as censored rows, nine LightGBM"
    if rows == "delivered":
        title = "Olist, delivered rows only, nine LightGBM"
    # Once: no time is compared, and losses do not vary. LightGBM's is the same for both rows.
    ours = runs.ours_at_origins(folder, PARAMS["olist"], rows == "censored")
    theirs = runs.theirs_at_origins(folder, THEIRS_OLIST, once=rows == "delivered")
    yield loss_at_origins(title, folder, ours, theirs, OLIST_TARGETS[rows])


def simulated(runs):
    arguments = runs.arguments
    folder = arguments.simulated_export
    if not folder and not arguments.longhaul:
        why = "needs SIMULATED=1, which builds the whole product"
        yield {"work": "simulated network", "why": why}
        return
    if not folder:
        store = runs.folder / "store-simulated"
        longhaul(runs, "simulate", "pipelines/demo.toml", "--store", str(store))
        folder = export(runs, "pipelines/demo.toml", store, "2026-01-15", "2026-02-12", 28)
    ours, theirs = runs.in_turn(
        lambda: runs.ours_at_origins(folder, PARAMS["simulated"], False),
        lambda: runs.theirs_at_origins(folder, THEIRS),
    )
    title = "simulated network, delivered rows only, nine LightGBM"
    yield times(title, ours, theirs, SIMULATED_TARGETS[0])
    yield loss_at_origins(title, folder, ours[-1], theirs[-1], SIMULATED_TARGETS[1])


def rows_of_work():
    """Names, which `--only` picks from, and what is done."""
    for name in TARGETS:
        work, peer = name.split()
        yield name, lambda runs, work=work, peer=peer: against(runs, work, peer)
    yield "censored time", censored_time
    yield "censored xgboost", censored_survival
    for work in SCALED:
        yield f"scaling {work}", lambda runs, work=work: scaling(runs, work)
    for work in OBJECTIVES:
        yield f"threads {work}", lambda runs, work=work: threads(runs, work, False)
    yield "threads censored", lambda runs: threads(runs, "nine", True)
    for rows in OLIST_TARGETS:
        yield f"olist {rows}", lambda runs, rows=rows: olist(runs, rows)
    yield "simulated lightgbm", simulated


def names():
    return [name for name, _ in rows_of_work()]


def wanted(arguments, name):
    return is_wanted(arguments.only, name, names())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ours", required=True)
    parser.add_argument("--peers", required=True)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", default="")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--keep-theirs", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--limit", type=int, default=7200, help="seconds of one run")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path(".bench"))
    parser.add_argument("--longhaul")
    parser.add_argument("--olist", type=pathlib.Path)
    parser.add_argument("--olist-export", type=pathlib.Path)
    parser.add_argument("--simulated-export", type=pathlib.Path)
    arguments = parser.parse_args()
    works = [(name, work) for name, work in rows_of_work() if wanted(arguments, name)]
    if not works:
        parser.error(f"--only {arguments.only}: there is none such in {', '.join(names())}")

    path = arguments.folder / "bench-boost.json"
    known = {}
    if arguments.keep and path.exists():
        known = json.loads(path.read_text())["rows"]
    runs = Runs(arguments)
    report = {"machine": machine(), "rows": known, "table": []}
    for name, work in works:
        settings = settings_of(arguments, name)
        kept = known.get(name)
        if kept and kept["settings"] == settings and all("ours" in l for l in kept["lines"]):
            show_now(kept["lines"])
            continue
        print(name, flush=True)
        try:
            lines = list(work(runs))
        except Failed as failure:
            lines = [{"work": name, "met": False, "why": f"failed: {failure}"}]
        report["rows"][name] = {"settings": settings, "lines": lines}
        write(path, report, names())
        show_now(lines)
    finish(report, f"{THREADS} threads, {arguments.rows:,} rows", arguments.check)


def settings_of(arguments, name):
    """What the figures of a row depend on, besides code and machine."""
    work = next(word for word in name.split() if word in PARAMS)
    theirs = THEIRS_OLIST if work == "olist" else THEIRS
    for option in split_peer(name.split()[-1])[1]:
        theirs = theirs | OPTIONS[option]
    counts = {key: getattr(arguments, key) for key in ("rows", "rounds", "repeats")}
    return counts | {"ours": PARAMS[work], "theirs": theirs}


if __name__ == "__main__":
    main()
