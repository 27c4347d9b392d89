"""`make bench-variants`: what each part of the method is worth, window by window.

usage: variants.py --longhaul PROGRAM --olist FOLDER [--every 14d] [--only NAMES] [--folder .bench]

Runs `longhaul backtest` on Olist once for each variant, which is a few settings away from the
defaults, and prints the mean pinball loss in days and the coverage of the 80% interval by window, as
`make bench-quality` has them. Finished backtests are found again. Writes `bench-variants.json`.
"""

import argparse
import json
import pathlib
import subprocess
import sys

import numpy as np
import polars as pl

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))

from export import forecast_of  # noqa: E402
from metrics import score  # noqa: E402
from table import is_wanted  # noqa: E402
from windows import JUDGED, NETWORKS  # noqa: E402

DECLARATION = "pipelines/features/default.toml"
# Name, settings, and the windows of the level in days.
WINDOWS = [7, 14, 28]
VARIANTS = [
    ("as shipped", [], WINDOWS),
    ("multiples of the level only", ["train.time_scale.hours_weight=0.0"], WINDOWS),
    ("hours only", ["train.time_scale.hours_weight=1.0"], WINDOWS),
    ("half and half", ["train.time_scale.hours_weight=0.5"], WINDOWS),
    ("no clock of working time", ["train.time_scale.clock=false"], WINDOWS),
    ("clocks by region", ['train.time_scale.clock_by="destination_region"'], WINDOWS),
    ("level of 7 days at any rate", [], [7]),
    ("level of 14 days", [], [14]),
    ("level of 28 days", [], [28]),
    ("trees see features of the network", ["train.network_share_min=1"], WINDOWS),
    ("no recalibration", ["train.recalibration.enabled=false"], WINDOWS),
    ("recalibration undamped", ["train.recalibration.damping=1.0"], WINDOWS),
    ("recalibration whatever weeks differ", ["train.recalibration.lasting_sd=1000"], WINDOWS),
    ("recalibration over 14 days", ["train.recalibration.days=14"], WINDOWS),
    ("no calibration of spread", ["train.calibration.enabled=false"], WINDOWS),
    ("calibration damped by half", ["train.calibration.damping=0.5"], WINDOWS),
    (
        "none of it",
        [
            "train.time_scale.hours_weight=1.0",
            "train.time_scale.clock=false",
            "train.recalibration.enabled=false",
        ],
        WINDOWS,
    ),
]


def declaration(folder, windows):
    """The default declaration with other windows of the level."""
    text = (ROOT / DECLARATION).read_text()
    changed = text.replace(f"\nwindows_days = {WINDOWS}\n", f"\nwindows_days = {windows}\n")
    if windows != WINDOWS and changed == text:
        raise SystemExit(f"{DECLARATION}: the [level] is not where it is looked for")
    path = folder / f"declaration-{'-'.join(map(str, windows))}.toml"
    path.write_text(changed)
    return path


def predictions(arguments, settings, windows):
    network = NETWORKS["Olist"]
    store = arguments.folder / "quality-olist"
    span = [network["windows"][window] for window in JUDGED if window in network["windows"]]
    first = min(low for low, _ in span)
    last = np.datetime64(max(high for _, high in span)) + np.timedelta64(1, "D")
    command = [arguments.longhaul, "backtest", network["pipeline"], "--store", str(store)]
    command += ["--as-of", network["as_of"], "--from", first, "--to", str(last)]
    command += ["--every", arguments.every, "--json"]
    if windows != WINDOWS:
        settings = [*settings, f'features.declaration="{declaration(arguments.folder, windows)}"']
    for setting in settings:
        command += ["--set", setting]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")
    folder = store / json.loads(done.stdout)["result"]["folder"]
    return pl.read_parquet(folder / "predictions.parquet")


def judged(frame):
    """Scores by window."""
    origin = frame["origin"].dt.strftime("%Y-%m-%d").to_numpy()
    actual = frame["actual_hours"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    weight = frame["weight"].cast(pl.Float64).fill_null(0.0).to_numpy()
    quantiles = forecast_of(frame)["hours"]
    found = {}
    for window in JUDGED:
        if window not in NETWORKS["Olist"]["windows"]:
            continue
        low, high = NETWORKS["Olist"]["windows"][window]
        rows = (origin >= low) & (origin <= high) & (weight > 0)
        found[window] = score(actual[rows], weight[rows], quantiles[rows])
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--longhaul", required=True)
    parser.add_argument("--olist", type=pathlib.Path, required=True)
    parser.add_argument("--every", default="14d")
    parser.add_argument("--only", default="")
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / ".bench")
    arguments = parser.parse_args()
    arguments.longhaul = str(pathlib.Path(arguments.longhaul).resolve())
    arguments.folder = arguments.folder.resolve()
    arguments.folder.mkdir(exist_ok=True)
    olist = ["import", "olist", "--from", str(arguments.olist), "--store"]
    subprocess.run(
        [arguments.longhaul, *olist, str(arguments.folder / "quality-olist")],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    results = {}
    names = [name for name, _, _ in VARIANTS]
    for name, settings, windows in VARIANTS:
        if not is_wanted(arguments.only, name, names):
            continue
        results[name] = judged(predictions(arguments, settings, windows))
        path = arguments.folder / "bench-variants.json"
        path.write_text(json.dumps({"every": arguments.every, "variants": results}, indent=2) + "\n")
        cells = [
            f"{window} {of['mean_pinball_days']:.4f} {of['coverage_80']:.0%}"
            for window, of in results[name].items()
        ]
        print(f"{name:40}" + "   ".join(cells), flush=True)


if __name__ == "__main__":
    main()
