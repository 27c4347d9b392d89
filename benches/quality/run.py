"""`make bench-quality`: our forecasts against their peers in every window of every network.

usage: run.py --longhaul PROGRAM [--olist FOLDER | --olist-export FOLDER]
              [--shop FOLDER | --shop-export FOLDER]
              [--simulated-export FOLDER] [--before-export FOLDER] [--in-flight-export NETWORK=FOLDER]…
              [--only WINDOWS] [--peers NAMES] [--check] [--workers 2] [--folder .bench]

One backtest a network gives the matrix, what was known at each origin, our forecasts and the
baselines; LightGBM is trained on the same rows at the same origins. Its forecasts are kept in
`quality/` under the digest of all that they follow from, one file an origin and peer, so that what is
killed goes on and a rerun only trains what changed. Another backtest a network is of what is in flight,
on snapshots (`in_flight.py`). Prints the windows, the worst first, then what has
to be reached, and writes `bench-quality.json`.
"""

import argparse
import concurrent.futures
import json
import multiprocessing
import os
import pathlib
import subprocess
import sys
import time

import numpy as np

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))

import in_flight  # noqa: E402
import peers  # noqa: E402
from export import Export  # noqa: E402
from metrics import SCORE_HEADS, judge, score_cells, weeks_running_below, worst_ratio  # noqa: E402
from table import finish, is_wanted, machine, write  # noqa: E402
from windows import NETWORKS, PEERS, TITLES, lines  # noqa: E402


def windows_wanted(only, network, settings):
    """The names of the windows that are wanted: those named, or all of a network that is."""
    of_network = is_wanted(only, network, [*NETWORKS, *in_flight.NETWORKS])
    return [
        name for name in settings["windows"] if of_network or is_wanted(only, name, settings["windows"])
    ]


def exported(arguments, network, settings):
    """The folder of the network's backtest, made if it is not there; none if it is not wanted."""
    of_orders = network.removesuffix(" in flight")
    name, source, given = {
        "Olist": ("olist", arguments.olist, arguments.olist_export),
        "German shop": ("shop_de", arguments.shop, arguments.shop_export),
        "simulated": (None, None, arguments.simulated_export),
        "legs": (None, None, None),
    }[of_orders]
    if network in in_flight.NETWORKS:
        given = dict(arguments.in_flight_export).get(of_orders)
    if not windows_wanted(arguments.only, network, settings):
        return None
    if given or (name and not source):
        return given
    if not arguments.longhaul:
        return None
    store = arguments.folder / f"quality-{name or of_orders}"

    def say(*words):
        command = [arguments.longhaul, *map(str, words), "--store", str(store)]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")
        return done.stdout

    if name:
        say("import", name, "--from", source)
    else:
        say("simulate", settings["pipeline"])
    first = min(low for low, _ in settings["windows"].values())
    last = np.datetime64(max(high for _, high in settings["windows"].values()))
    span = ["--from", first, "--to", last + np.timedelta64(1, "D")]
    span += ["--every", "7d", "--export", "--json"]
    span += ["--in-flight"] if network in in_flight.NETWORKS else []
    span += ["--as-of", settings["as_of"]] if settings["as_of"] else []
    return store / json.loads(say("backtest", settings["pipeline"], *span))["result"]["folder"]


def start(folder):
    global EXPORT
    EXPORT = Export(folder)


def work(task):
    origin, peer, cache = task
    started = time.process_time()
    try:
        quantiles, kept = peers.forecast(EXPORT, origin, peer, cache)
    except peers.NoOffset as why:
        return origin, peer, None, str(why), 0.0
    return origin, peer, quantiles, kept, time.process_time() - started


def trained(folder, origins, cache, workers, wanted):
    """The peers' quantiles by peer and origin. A process a core, each with one thread: threads that
    wait for each other at every split take nearly twice as long.
    """
    cache.mkdir(parents=True, exist_ok=True)
    tasks = [(origin, peer, cache) for origin in origins for peer in peers.PEERS if peer in wanted]
    context = multiprocessing.get_context("spawn")
    found, seconds, refused = {peer: {} for peer in peers.PEERS}, dict.fromkeys(peers.PEERS, 0.0), set()
    with concurrent.futures.ProcessPoolExecutor(workers, context, start, (folder,)) as pool:
        done = [pool.submit(work, task) for task in tasks]
        for future in concurrent.futures.as_completed(done):
            origin, peer, quantiles, kept, cost = future.result()
            if quantiles is None:
                if peer not in refused:
                    print(f"  no {TITLES[peer]}: {kept}", flush=True)
                refused.add(peer)
                continue
            found[peer][origin] = quantiles
            seconds[peer] += cost
            if not kept:
                print(f"  {origin} {TITLES[peer]}: {cost:.0f} s of one core", flush=True)
    return {peer: known for peer, known in found.items() if known}, seconds


def with_peers(arguments, network, settings, folder, of_snapshots=False):
    """The export with the forecasts of the peers, the origins of each wanted window at which all are judged,
    and the seconds that the peers took.
    """
    export = Export(folder)
    export.read_forecasts()
    every, learned, cache = 1, peers.PEERS, "quality"
    if of_snapshots:
        every, learned, cache = settings["every"], in_flight.LEARNED, "quality-in-flight"
    judged_at = in_flight.chosen(export.origins, every)
    within = {
        name: [origin for origin in judged_at if low <= origin <= high]
        for name, (low, high) in settings["windows"].items()
        if name in windows_wanted(arguments.only, network, settings)
    }
    origins = sorted(set().union(*within.values()))
    print(f"{network}: {len(origins)} of {len(export.origins)} origins of {folder}", flush=True)
    named = learned if arguments.peers is None else arguments.peers.split(",")
    wanted = [peer for peer in learned if peer in named]
    forecasts, seconds = trained(folder, origins, arguments.folder / cache, arguments.workers, wanted)
    for peer, known in forecasts.items():
        export.forecasts[peer] = {"hours": by_origin(export, known)}
    return export, within, seconds


def judged_windows(judge, export, within, settings):
    """Each window by itself."""
    found = {}
    for name, known in within.items():
        rows = np.flatnonzero(np.isin(export.origin, known))
        dates_only = settings.get("dates_only", False)
        found[name] = judge(export, rows, export.forecasts, dates_only) if len(rows) else None
        if found[name]:
            found[name]["origins"] = [known[0], known[-1], len(known)]
    return found


def judged(arguments, network, settings, folder):
    """Each wanted window of one network."""
    export, within, seconds = with_peers(arguments, network, settings, folder)
    if arguments.before_export and network == "Olist":
        export.forecasts["before"] = export.forecast_before(arguments.before_export)
    found = judged_windows(judge, export, within, settings)
    # Two weeks may follow each other across the border of two windows.
    weeks = {week: of for result in found.values() if result for week, of in result["weeks"].items()}
    for result in filter(None, found.values()):
        pairs = weeks_running_below(weeks)
        result["weeks_running_below"] = [pair for pair in pairs if set(pair) & set(result["weeks"])]
    return found, seconds


def judged_in_flight(arguments, network, settings, folder):
    """Each wanted window of what is in flight of one network."""
    export, within, seconds = with_peers(arguments, network, settings, folder, of_snapshots=True)
    return judged_windows(in_flight.judge, export, within, settings), seconds


def by_origin(export, known):
    """Quantiles by origin as those of all predicted rows; NaN at other origins."""
    hours = np.full_like(export.forecasts["longhaul"]["hours"], np.nan)
    for origin, quantiles in known.items():
        hours[export.origin == origin] = quantiles
    return hours


def show(results):
    """A block for each window, the one in which we do worst first."""
    blocks = [
        (worst_ratio(found["scores"], PEERS), network, window, found)
        for network, windows in results.items()
        for window, found in windows.items()
        if found
    ]
    for (ratio, best), network, window, found in sorted(blocks, key=lambda block: -block[0][0]):
        first, last, n = found["origins"]
        unknown = 1 - found["rows"] / found["predicted"]
        print(
            f"\n{network} {window}: {n} origins from {first} to {last}, {found['rows']:,} rows,"
            f" {unknown:.1%} not known yet; {ratio:.3f}x the best peer, {TITLES[best][0]}"
        )
        heads = (*SCORE_HEADS, "width, days")
        print(" " * 28 + "".join(f"{head:>14}" for head in heads) + "   at our coverage")
        ours = found["scores"]["longhaul"]["mean_pinball_days"]
        for name, title in TITLES.items():
            of = found["scores"].get(name)
            if not of:
                print(f"{title:28}{'–':>14}")
                continue
            cells = score_cells(of, ours)
            cells.append(f"{of['width_80_days']:.2f}")
            if name == "promise":
                cells = ["–", "–", cells[2], "–", "–", "–"]
            at = of.get("width_80_days_at_our_coverage")
            print(f"{title:28}" + "".join(f"{cell:>14}" for cell in cells) + (f"{at:18.2f}" if at else ""))
        weeks = " ".join(f"{100 * week['coverage_80']:.0f}" for week in found["weeks"].values())
        print(f"80% interval covers by week, %: {weeks}")
        skills = [s for s in found.get("brier_skill", {}).values() if s is not None]
        if skills:
            first = min(found["brier_skill"])
            span = f"{min(skills):.3f} to {max(skills):.3f}"
            print(f"Brier skill of P(by day {first} to 30) against the lane: {span}")
        if "coverage_of_days" in found:
            covers = (f"{TITLES.get(name, name)} {c:.1%}" for name, c in found["coverage_of_days"].items())
            print(f"[0.1, 0.9] covers of days: {', '.join(covers)}")
            pairs = (f"{100 * gate['mean']:.0f}/{100 * gate['share']:.0f}" for gate in found["gates"].values())
            print(f"the gate's mean/the share over two days by week, %: {' '.join(pairs)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--longhaul")
    parser.add_argument("--olist", type=pathlib.Path)
    parser.add_argument("--olist-export", type=pathlib.Path)
    parser.add_argument("--shop", type=pathlib.Path)
    parser.add_argument("--shop-export", type=pathlib.Path)
    parser.add_argument("--simulated-export", type=pathlib.Path)
    parser.add_argument("--before-export", type=pathlib.Path, help="Olist by an earlier commit")
    parser.add_argument(
        "--in-flight-export", type=lambda text: text.split("=", 1), action="append", default=[]
    )
    parser.add_argument("--only", default="")
    parser.add_argument("--peers", help="of lightgbm, lightgbm_tuned, lightgbm_level; or none")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / ".bench")
    arguments = parser.parse_args()
    if arguments.longhaul:
        arguments.longhaul = str(pathlib.Path(arguments.longhaul).resolve())
    arguments.folder = arguments.folder.resolve()
    os.environ["OMP_WAIT_POLICY"] = "passive"
    os.nice(19 - os.nice(0))

    report = {"machine": machine(), "settings": peers.PEERS, "rows": {}, "seconds": {}}
    report |= {"windows": {}, "in_flight": {}}
    report["lightgbm_version"] = peers.lightgbm.__version__
    names = []
    for part, networks, judging, lines_of in (
        ("windows", NETWORKS, judged, lines),
        ("in_flight", in_flight.NETWORKS, judged_in_flight, in_flight.lines),
    ):
        for network, settings in networks.items():
            folder = exported(arguments, network, settings)
            if not folder:
                continue
            found, seconds = judging(arguments, network, settings, folder)
            report[part][network] = found
            report["seconds"][network] = seconds
            for window, result in found.items():
                name = f"{network} {window}"
                names.append(name)
                report["rows"][name] = {"lines": list(lines_of(network, window, result))}
    if not names:
        raise SystemExit(f"no window of {arguments.only or 'any network'}: DIR=<Olist CSVs> is missing?")
    write(arguments.folder / "bench-quality.json", report, names)
    show(report["windows"])
    in_flight.show(report["in_flight"])
    finish(report, "ours against theirs", arguments.check)
    if arguments.check and any("why" in line for row in report["rows"].values() for line in row["lines"]):
        raise SystemExit("some targets were not run")


if __name__ == "__main__":
    main()
