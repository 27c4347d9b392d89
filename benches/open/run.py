"""`make bench-open`: what scoring a million open shipments takes.

usage: run.py --longhaul PROGRAM [--open 1000000] [--repeats 3] [--check] [--folder .bench/open]

A network of `network.toml` is simulated twice: a small one, on which the model is trained and
published, and a large one of the same days, of which about so many shipments are open at the end. The
model is copied to the large one, its features are built, and the stage score is run anew each time, in
a process of its own with two threads.

Seconds are what the program says of the stage; memory is the most that the process held, and the time of
the processor is the whole process's: on a machine that is not idle it says more. Figures are medians.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from table import Failed, finish, machine, plain, write  # noqa: E402

THREADS = 2
PIPELINE = HERE / "network.toml"
SECONDS, MIB = 60.0, 4096.0

# So long that what is as old as a shipment that counts as lost is among the open ones.
LARGE_DAYS, LARGE_FIRST_DAY = 60, "2025-12-31"
SMALL_DAYS, SMALL_FIRST_DAY, SMALL_SHIPMENTS = 180, "2025-09-02", 60_000
# The share of the large network's shipments that are open at its end, about.
OPEN_SHARE = 0.64


def longhaul(arguments, *command):
    """Its result, what it said of its stages, and the memory and processor time of the process."""
    command = [arguments.longhaul, *command, "--json", "--log-format", "json"]
    threads = {"RAYON_NUM_THREADS": str(THREADS), "POLARS_MAX_THREADS": str(THREADS)}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        environment = os.environ | threads
        process = subprocess.Popen(list(map(str, command)), stdout=out, stderr=err, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        said = err.read().decode()
        if process.returncode:
            last = (said.strip().splitlines() or ["without a word"])[-1]
            raise Failed(f"longhaul {command[1]} ended with {process.returncode}: {last}")
        stages = [json.loads(text) for text in said.splitlines() if text.startswith("{")]
        by_name = {each["stage"]: each for each in stages if "stage" in each}
        took = {
            "peak_mib": usage.ru_maxrss / 1024,
            "processor_seconds": usage.ru_utime + usage.ru_stime,
        }
        return json.loads(out.read())["result"], by_name, took


def simulated(arguments, store, shipments, days, first_day):
    settings = {"shipments": shipments, "days": days, "first_day": f'"{first_day}"'}
    flags = [f"--set=simulate.{name}={value}" for name, value in settings.items()]
    print(f"  network of {shipments:,} shipments in {days} days", flush=True)
    longhaul(arguments, "simulate", PIPELINE, "--store", store, *flags)


def network(arguments):
    """The store of the large network, with its features and the model of the small one."""
    small, large = arguments.folder / "small", arguments.folder / f"large-{arguments.open}"
    if not (small / "models").exists():
        simulated(arguments, small, SMALL_SHIPMENTS, SMALL_DAYS, SMALL_FIRST_DAY)
        longhaul(arguments, "run", PIPELINE, "--store", small)
    if not (large / "tables").exists():
        shipments = round(arguments.open / OPEN_SHARE)
        simulated(arguments, large, shipments, LARGE_DAYS, LARGE_FIRST_DAY)
    if (large / "models").exists():
        shutil.rmtree(large / "models")
    shutil.copytree(small / "models", large / "models")
    print("  features", flush=True)
    longhaul(arguments, "features", PIPELINE, "--store", large)
    return large


def lines(arguments):
    large = network(arguments)
    runs = []
    for _ in range(arguments.repeats):
        for scored in large.glob("runs/*/score"):
            shutil.rmtree(scored)
        result, stages, took = longhaul(arguments, "score", PIPELINE, "--store", large)
        if "seconds" in stages["features"]:
            raise Failed("score: expected the features done before")
        summary, seconds = result["summary"], stages["score"]["seconds"]
        runs.append({"seconds": seconds, **took, "rows": summary["rows"]})
        figures = f"{seconds:9.2f} s, {took['processor_seconds']:.2f} s of the processor"
        print(f"    {figures} {took['peak_mib']:9.0f} MiB", file=sys.stderr, flush=True)
    title = f"{runs[0]['rows']:,} open shipments"
    for figure, limit, unit in [("seconds", SECONDS, "seconds"), ("peak_mib", MIB, "peak memory, MiB")]:
        found = statistics.median(run[figure] for run in runs)
        yield plain(f"{title}: {unit}", found, None, f"≤ {limit:g}", found <= limit, runs=runs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--longhaul", type=pathlib.Path, required=True)
    parser.add_argument("--open", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path(".bench/open"))
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    try:
        found = list(lines(arguments))
    except Failed as failure:
        found = [{"work": "open shipments", "met": False, "why": f"failed: {failure}"}]
    settings = {"open": arguments.open, "repeats": arguments.repeats}
    report = {"machine": machine(), "rows": {"open": {"settings": settings, "lines": found}}}
    write(arguments.folder / "bench-open.json", report, ["open"])
    finish(report, f"{THREADS} threads", arguments.check)


if __name__ == "__main__":
    main()
