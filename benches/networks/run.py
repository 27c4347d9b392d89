"""`make bench-networks`: default settings on simulated networks of every kind.

usage: run.py --longhaul PROGRAM [--only NAMES] [--check] [--folder .bench]

Each network of `networks.py` is simulated, run (`longhaul run`) and judged by a backtest over a handful
of weekly origins, with default settings. Prints a table with a row for each network, then what has to be
reached, and writes `bench-networks.json`; what was not wanted this time is kept there.
"""

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import time

import numpy as np

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "quality")]

from export import Export  # noqa: E402
from metrics import coverage_of_days, mean, score  # noqa: E402
from networks import BASELINES, NETWORKS, lines, pipeline, span  # noqa: E402
from table import finish, is_wanted, machine, write  # noqa: E402

DECLARATION = ROOT / "pipelines" / "features" / "default.toml"


class Network:
    """One network: its folder, and what the program said and took at each step."""

    def __init__(self, program, folder, network):
        self.program, self.folder, self.network = program, folder, network
        self.seconds = {}
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "pipeline.toml").write_text(pipeline(network, DECLARATION))

    def say(self, step, *words):
        """What it prints on stdout, and why it ended if it did not succeed."""
        command = [self.program, step, str(self.folder / "pipeline.toml"), *map(str, words)]
        command += ["--store", str(self.folder / "store")]
        started = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        self.seconds[step] = round(time.perf_counter() - started, 1)
        (self.folder / f"{step}.log").write_text(done.stderr)
        if done.returncode == 0:
            return done.stdout, None
        errors = [line for line in done.stderr.splitlines() if line.startswith("error")]
        said = errors or done.stderr.splitlines()[-1:] or ["nothing said"]
        return done.stdout, f"exit {done.returncode}: {said[0]}"

    def judged(self):
        found = {}
        why = self.say("simulate", "--quiet")[1]
        if why:
            return {"why": f"simulate: {why}", "why_no_backtest": "not simulated", "seconds": self.seconds}
        said, why = self.say("run", "--json")
        if why:
            found["why"] = why
        first, end = span(self.network)
        words = ["--from", first, "--to", end, "--every", "7d", "--export", "--json"]
        said, why = self.say("backtest", *words)
        if why:
            found["why_no_backtest"] = why
        else:
            folder = self.folder / "store" / json.loads(said)["result"]["folder"]
            found |= scores_of(folder, self.network["simulate"].get("dates_only", False))
        return found | {"seconds": self.seconds}


def scores_of(folder, by_days):
    """Ours and the baselines on the rows of all origins whose outcome is known."""
    export = Export(folder)
    export.read_forecasts()
    known = export.weight > 0
    actual, weight = export.actual[known], export.weight[known]
    names = [name for name in ("longhaul", *BASELINES) if name in export.forecasts]
    scores = {name: score(actual, weight, export.forecasts[name]["hours"][known]) for name in names}
    coverage = scores["longhaul"]["coverage_80"]
    if by_days:
        by_day = export.forecasts["longhaul"]["by_day"][known]
        coverage = mean(coverage_of_days(actual, by_day), weight)
    return {
        "rows": int(known.sum()),
        "predicted": len(known),
        "origins": sorted(set(export.origin[known])),
        "within_two_days": mean(actual <= 48, weight),
        "median_days": float(np.median(actual)) / 24,
        "scores": scores,
        "by_days": by_days,
        "coverage_80": coverage,
    }


def show(networks):
    """A row a network."""
    heads = ["runs", "origins", "rows", "<= 2d", "median", "pinball", "of lane", "of global", "of promise"]
    heads += ["covers", "met", "seconds"]
    width = max(len(name) for name in networks) + 1
    print("\n" + " " * width + "".join(f"{head:>11}" for head in heads))
    for name, found in networks.items():
        cells = ["NO" if found.get("why") else "yes"]
        scores = found.get("scores")
        if scores:
            ours = scores["longhaul"]["mean_pinball_days"]
            cells += [str(len(found["origins"])), f"{found['rows']:,}", f"{found['within_two_days']:.0%}"]
            cells += [f"{found['median_days']:.1f}", f"{ours:.3f}"]
            for baseline in BASELINES:
                theirs = scores.get(baseline, {}).get("mean_pinball_days")
                cells.append(f"{ours / theirs:.2f}x" if theirs else "–")
            cells.append(f"{found['coverage_80']:.1%}")
        else:
            cells += ["NO", *["–"] * 8]
        met = all(line["met"] for line in lines(name, found))
        cells += ["yes" if met else "NO", f"{sum(found['seconds'].values()):.0f}"]
        print(name.ljust(width) + "".join(f"{cell:>11}" for cell in cells))
        for why in filter(None, (found.get("why"), found.get("why_no_backtest"))):
            print(f"{'':{width}}  {why}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--longhaul", required=True)
    parser.add_argument("--only", default="", help="names of networks or parts of them")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / ".bench")
    arguments = parser.parse_args()
    program = str(pathlib.Path(arguments.longhaul).resolve())
    folder = arguments.folder.resolve()
    path = folder / "bench-networks.json"
    folder.mkdir(parents=True, exist_ok=True)
    before = json.loads(path.read_text())["networks"] if path.exists() else {}

    networks = {}
    for name, network in NETWORKS.items():
        if not is_wanted(arguments.only, name, NETWORKS):
            continue
        print(f"{name} …", flush=True)
        place = folder / "networks" / re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        networks[name] = Network(program, place, network).judged()
        # At once, so that what is killed keeps what it has.
        report = {"machine": machine(), "networks": before | networks}
        report["rows"] = {name: {"lines": list(lines(name, of))} for name, of in networks.items()}
        write(path, report, list(NETWORKS))
    if not networks:
        raise SystemExit(f"no network of {arguments.only}: expected some of {'; '.join(NETWORKS)}")
    show(networks)
    finish(report, "default settings on simulated networks", arguments.check)


if __name__ == "__main__":
    main()
