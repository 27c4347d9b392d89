"""`make bench-features`: our building of features against the same in DuckDB's SQL.

usage: run.py --longhaul PROGRAM [--olist FOLDER] [--shipments 5000000] [--repeats 3]
              [--only NAMES] [--check] [--limit 7200] [--folder .bench]

Ours is the wall time of `longhaul features`, the whole process, when the check was done before and
is skipped, and everything that earlier builds left in the store is gone but the nights before "one
more day". Theirs is the time from an open connection to the written file, without the interpreter's
start. Ours also verifies every file's digest and writes the outcomes, in the order of time; theirs
has its rows in any order. Both have two threads, run in turn, and figures are medians. Memory is
the most that the process held, the interpreter with DuckDB's.

What DuckDB made is compared with what we made, cell by cell; compare.py says how.

Prints a table and writes `bench-features.json` after every row of work.
"""

import argparse
import datetime
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from table import Failed, finish, is_wanted, line, machine, plain, show_now, write  # noqa: E402

THREADS = 2
MEMORY = "4GiB"

# Every day before it has its orders, in the whole data too.
OLIST_AS_OF = "2018-06-01"
# Two years that end in an ordinary season: the yearly peak is in November.
NETWORK_AS_OF, NETWORK_DAYS = "2025-10-01", 730
SHORTER = 10

OLIST_SECONDS, OLIST_DAY_SECONDS = 5.0, 0.5
NETWORK_SECONDS = 90.0
MIB = 4096.0
# Of one more day against all, and of one more day against that with a tenth of the history.
DAY_TARGET, HISTORY_TARGET = 0.05, 1.2


class Store:
    """Tables in a folder, and the pipeline that they are read with."""

    def __init__(self, folder, pipeline, as_of):
        self.folder, self.pipeline, self.as_of = folder.resolve(), pipeline, as_of


class Runs:
    """Starts the processes, and keeps what they said."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.folder = arguments.folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.environment = os.environ | {
            "RAYON_NUM_THREADS": str(THREADS),
            "POLARS_MAX_THREADS": str(THREADS),
        }
        self.known = {}

    def once(self, name, work):
        """What rows of work share."""
        if name not in self.known:
            self.known[name] = work()
        return self.known[name]

    def run(self, command):
        """What it printed on stdout and stderr, and what it took."""
        command = [str(part) for part in command]
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            started = time.perf_counter()
            process = subprocess.Popen(command, stdout=out, stderr=err, env=self.environment)
            limit = threading.Timer(self.arguments.limit, process.kill)
            limit.start()
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
            limit.cancel()
            process.returncode = os.waitstatus_to_exitcode(status)
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode())
        if process.returncode:
            last = (texts[1].strip().splitlines() or ["without a word"])[-1]
            raise Failed(f"{' '.join(command[:2])} ended with {process.returncode}: {last}")
        return *texts, {"seconds": seconds, "peak_mib": usage.ru_maxrss / 1024}

    def longhaul(self, *command):
        """Its result, what it said of its stages, and what it took."""
        program = [self.arguments.longhaul, *command, "--json", "--log-format", "json"]
        out, err, took = self.run(program)
        said = [json.loads(text) for text in err.splitlines() if text.startswith("{")]
        stages = {each["stage"]: each for each in said if "stage" in each}
        return json.loads(out)["result"], stages, took

    def check(self, store, as_of):
        """The file that says what the check found."""
        job = [store.pipeline, "--store", store.folder, "--as-of", as_of]
        checked, _, _ = self.longhaul("check", *job)
        return store.folder / checked["folder"] / "check.json"

    def ours(self, store, as_of):
        """Builds the features of a night whose check was done."""
        job = [store.pipeline, "--store", store.folder, "--as-of", as_of]
        result, stages, took = self.longhaul("features", *job)
        if result["skipped"] or "seconds" in stages["check"]:
            raise Failed(f"features of {as_of}: expected the check done before and no features")
        stage_seconds = stages["features"]["seconds"]
        self.say("ours", took)
        folder = str(store.folder / result["folder"])
        return took | {"stage_seconds": stage_seconds, "folder": folder}

    def theirs(self, store, as_of, check):
        out = self.folder / "theirs.parquet"
        command = [sys.executable, HERE / "theirs.py", "--store", store.folder, "--check", check]
        command += ["--as-of", as_of, "--out", out, "--threads", THREADS, "--memory", MEMORY]
        said, _, took = self.run(command)
        took = took | json.loads(said)
        self.say("theirs", took)
        return took | {"path": str(out)}

    def say(self, side, took):
        figures = f"{took['seconds']:9.2f} s {took['peak_mib']:9.0f} MiB"
        print(f"    {side:10} {figures}", file=sys.stderr, flush=True)

    def full(self, store):
        """Ours and theirs from nothing, in turn, and where they differ."""
        check = self.check(store, store.as_of)
        ours, theirs = [], []
        for _ in range(self.arguments.repeats):
            forget(store)
            ours.append(self.ours(store, store.as_of))
            theirs.append(self.theirs(store, store.as_of, check))
        sides = ["--ours", ours[-1]["folder"], "--theirs", theirs[-1]["path"]]
        said, _, _ = self.run([sys.executable, HERE / "compare.py", *sides])
        return ours, theirs, json.loads(said)

    def days(self, store):
        """Ours of one night after the other, each the day after one that is there."""
        nights = [plus_days(store.as_of, -n) for n in range(self.arguments.repeats, -1, -1)]
        forget(store)
        taken = []
        for night in nights:
            check = self.check(store, night)
            taken.append(self.ours(store, night) | {"as_of": night, **volume(check, night)})
        return taken[1:]


def forget(store):
    """Removes what building features leaves, whatever it is: all but the tables and their check."""
    for path in store.folder.iterdir():
        if path.name == "runs":
            stages = [stage for run in path.iterdir() for stage in run.iterdir()]
            gone = [stage for stage in stages if stage.name not in ("check", "simulate")]
        else:
            gone = [] if path.name in ("tables", "quarantine") else [path]
        for each in gone:
            shutil.rmtree(each)


def plus_days(date, days):
    return str(datetime.date.fromisoformat(date) + datetime.timedelta(days=days))


def checked_rows(check, table, first, end):
    """Rows of a table recorded on days from `first` up to, not with, `end`."""
    files = json.loads(pathlib.Path(check).read_text())["tables"][table]["files"]
    return sum(file["rows"] for file in files if first <= file["recorded_on"] < end)


def volume(check, night):
    """What the day before a night brought."""
    return {"versions": checked_rows(check, "shipments", plus_days(night, -1), night)}


def median(runs, figure):
    return statistics.median(run[figure] for run in runs)


def at_most(work, found, limit, unit, theirs=None, **detail):
    return plain(f"{work}: {unit}", found, theirs, f"≤ {limit:g}", found <= limit, **detail)


def olist(runs):
    def make():
        store = Store(runs.folder / "store-olist-features", "pipelines/olist.toml", OLIST_AS_OF)
        source = runs.arguments.olist
        runs.longhaul("import", "olist", "--from", source, "--store", store.folder)
        return store

    return runs.once("olist", make)


def network(runs):
    shipments = runs.arguments.shipments
    return runs.once("network", lambda: simulated(runs, shipments, NETWORK_DAYS))


def short_network(runs):
    """The last tenth of the same days, with as many orders on them."""

    def make():
        long, days = network(runs), NETWORK_DAYS // SHORTER
        check = runs.check(long, long.as_of)
        first = plus_days(long.as_of, -days)
        part = checked_rows(check, "orders", first, long.as_of)
        share = part / checked_rows(check, "orders", "", long.as_of)
        return simulated(runs, round(runs.arguments.shipments * share), days)

    return runs.once("short network", make)


def simulated(runs, shipments, days):
    folder = runs.folder / f"store-network-{shipments}-{days}"
    settings = {
        "shipments": shipments,
        "days": days,
        "first_day": f'"{plus_days(NETWORK_AS_OF, -days)}"',
    }
    command = ["simulate", "pipelines/demo.toml", "--store", folder]
    for name, value in settings.items():
        command += ["--set", f"simulate.{name}={value}"]
    print(f"  network of {shipments:,} shipments in {days} days", flush=True)
    runs.longhaul(*command)
    return Store(folder, "pipelines/demo.toml", NETWORK_AS_OF)


def full(runs, title, store, seconds_limit):
    """Lines of a build from nothing."""
    ours, theirs, compared = runs.once(title, lambda: runs.full(store))
    sides = [ours, theirs]
    seconds = [median(side, "seconds") for side in sides]
    peaks = [median(side, "peak_mib") for side in sides]
    title = f"{title}, full build"
    yield line(f"{title}, DuckDB: seconds", *seconds, 1.0, strict=True, runs=sides)
    yield at_most(title, seconds[0], seconds_limit, "seconds")
    yield at_most(title, peaks[0], MIB, "peak memory, MiB", peaks[1])
    off = sum(compared["differ"].values())
    yield plain(f"{title}: cells that differ", off, 0, "none", off == 0, compared=compared)


def olist_full(runs):
    yield from full(runs, "Olist", olist(runs), OLIST_SECONDS)


def olist_day(runs):
    days = runs.days(olist(runs))
    seconds = median(days, "seconds")
    yield at_most("Olist, one more day", seconds, OLIST_DAY_SECONDS, "seconds", runs=days)


def named(runs):
    return f"{runs.arguments.shipments:,} shipments in {NETWORK_DAYS} days"


def network_full(runs):
    yield from full(runs, named(runs), network(runs), NETWORK_SECONDS)


def network_day(runs):
    ours, _, _ = runs.once(named(runs), lambda: runs.full(network(runs)))
    days = runs.once("days", lambda: runs.days(network(runs)))
    seconds = [median(days, "seconds"), median(ours, "seconds")]
    yield line(
        f"{named(runs)}, one more day, ours in full: seconds", *seconds, DAY_TARGET, runs=days
    )


def network_history(runs):
    many = runs.once("days", lambda: runs.days(network(runs)))
    few = runs.days(short_network(runs))
    seconds = [median(days, "seconds") for days in (many, few)]
    days = NETWORK_DAYS // SHORTER
    title = f"one more day after {NETWORK_DAYS} days, ours after {days}: seconds"
    yield line(title, *seconds, HISTORY_TARGET, runs=[many, few])


ROWS_OF_WORK = {
    "olist full": olist_full,
    "olist day": olist_day,
    "network full": network_full,
    "network day": network_day,
    "network history": network_history,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--longhaul", type=pathlib.Path, required=True)
    parser.add_argument("--olist", type=pathlib.Path)
    parser.add_argument("--shipments", type=int, default=5_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--limit", type=int, default=7200, help="seconds of one run")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path(".bench"))
    arguments = parser.parse_args()
    names = list(ROWS_OF_WORK)
    wanted = [name for name in names if is_wanted(arguments.only, name, names)]
    if not wanted:
        parser.error(f"--only {arguments.only}: there is none such in {', '.join(names)}")

    runs = Runs(arguments)
    report = {"machine": machine(), "rows": {}, "table": []}
    for name in wanted:
        print(name, flush=True)
        if name.startswith("olist") and not arguments.olist:
            lines = [{"work": name, "why": "needs DIR=<folder with the public CSVs>"}]
        else:
            try:
                lines = list(ROWS_OF_WORK[name](runs))
            except Failed as failure:
                lines = [{"work": name, "met": False, "why": f"failed: {failure}"}]
        settings = {key: getattr(arguments, key) for key in ("shipments", "repeats")}
        report["rows"][name] = {"settings": settings, "lines": lines}
        write(runs.folder / "bench-features.json", report, names)
        show_now(lines)
    finish(report, f"{THREADS} threads", arguments.check)


if __name__ == "__main__":
    main()
