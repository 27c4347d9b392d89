"""`make bench-score`: scoring rows with our scorer and with its peers, on the same trees and rows.

usage: run.py --ours PROGRAM --export PROGRAM --lookup PROGRAM [--bundles FOLDER,…] [--passes 5] [--rows 40000]
              [--batch 100000] [--only NAMES] [--check] [--folder .bench]

What is measured is in `ours/src/loops.rs`. All peers are called from one compiled program, through
their C functions: no interpreter is timed. One row is the whole distribution of ours (nine corrected
quantiles, P(over two days), P(by day) of 60 days) against the nine raw quantiles of a peer; ONNX
Runtime computes the whole distribution too. Figures are the least of several passes.

Prints a table and writes `bench-score.json` after every row of work.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from table import Failed, finish, is_wanted, line, machine, plain, show_now, write  # noqa: E402

# Of 300 trees and nine quantiles: microseconds of one row at the median, by leaves.
MEDIAN_US = {31: 1.5, 63: 3.0}
# The 99th percentile, as a multiple of the median.
TAIL_TARGET = 3.0
# Of one row's median: LightGBM's has to be ten times ours, the others' above it.
ROW_TARGETS = {"LightGBM": 0.1, "ONNX Runtime": 1.0, "tl2cgen": 1.0, "nexus-inference": 1.0}
# Of the time for many rows.
BATCH_TARGETS = {"LightGBM": 1 / 6, "ONNX Runtime": 1.0, "tl2cgen": 1.0, "nexus-inference": 1.0}
# The work without a model, and nanoseconds of one lookup at the median, of a thousand lanes again and again.
SPEED_TABLE = "speed table, one lookup"
LOOKUP_NS = 200.0
NOT_MEASURED = {
    "Yggdrasil": "reads neither LightGBM's trees nor ONNX, and has no loss of quantiles to train like ones",
}


def run(command):
    # A peer that spins on a busy core makes every figure meaningless.
    environment = os.environ | {"OMP_WAIT_POLICY": "passive"}
    command = [str(part) for part in command]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise Failed(f"{pathlib.Path(command[0]).name}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def library(package, pattern):
    """The C library in an installed package."""
    module = __import__(package)
    found = sorted(pathlib.Path(module.__file__).parent.glob(pattern))
    if not found:
        raise Failed(f"{package} has no {pattern}")
    return found[0]


def compile_trees(exported, to):
    """Each of LightGBM's files as C, compiled by gcc: what treelite's own runtime was once."""
    import tl2cgen
    import treelite

    if (to / "done").exists():
        return
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    for position, path in enumerate(sorted(exported.glob("regressor_*/*/model.txt"))):
        model = treelite.frontend.load_lightgbm_model(path)
        source = to / f"{position}"
        tl2cgen.generate_c_code(model, source, params={"parallel_comp": 8, "quantize": 0})
        header = (source / "header.h").read_text()
        if "double fvalue" not in header:
            raise Failed("tl2cgen's entries are not doubles")
        tl2cgen.create_shared(
            toolchain="gcc", dirpath=source, nthread=2, options=["-O2"], verbose=False
        )
        built = next(source.glob("*.so"))
        shutil.move(built, to / f"{position}.so")
    (to / "done").touch()


def exported(arguments, name, bundle):
    """The bundle in the formats of others."""
    to = arguments.folder / "score" / name / "exported"
    if not (to / "model.onnx").exists():
        run([arguments.export, bundle, to])
    return to


def measured(arguments, name, bundle, leaves):
    folder = exported(arguments, name, bundle)
    compiled = folder.parent / "compiled"
    why_not = {}
    try:
        compile_trees(folder, compiled)
    except Exception as error:  # noqa: BLE001: whatever a peer's tools raise
        why_not["tl2cgen"] = f"did not compile: {str(error).strip().splitlines()[-1][:200]}"
    command = [arguments.ours, "measure", folder]
    command += ["--lightgbm", library("lightgbm", "lib/lib_lightgbm.*")]
    command += ["--onnx", library("onnxruntime", "capi/libonnxruntime.so.*")]
    command += ["--passes", arguments.passes, "--rows", arguments.rows, "--batch", arguments.batch]
    if "tl2cgen" not in why_not:
        command += ["--compiled", compiled]
    found = json.loads(run(command))
    lines = []
    bests = []
    for peer in found["peers"]:
        title = f"{name}, {peer['peer']}"
        if "why" in peer:
            why_not[peer["peer"]] = peer["why"]
            continue
        row, batch = peer["row"], peer["batch_seconds"]
        bests.append(row["ours"])
        target = ROW_TARGETS.get(peer["peer"])
        if target is None:
            for part, of in [("one row, us", row["theirs"]["p50"]), ("one row, p99, us", row["theirs"]["p99"])]:
                lines.append(plain(f"{title}: {part}", of, None, None, True))
            lines.append(plain(f"{title}: {batch['rows']:,} rows, s", batch["theirs"], None, None, True))
            continue
        for part in ("p50", "p99", "p999"):
            ours, theirs = row["ours"][part], row["theirs"][part]
            of = target if part == "p50" else 1.0
            lines.append(line(f"{title}: one row, {part}, us", ours, theirs, of, strict=of == 1.0))
        of = BATCH_TARGETS[peer["peer"]]
        title += f": {batch['rows']:,} rows, two threads, s"
        lines.append(line(title, batch["ours"], batch["theirs"], of, strict=of == 1.0))
    best = {part: min(of[part] for of in bests) for part in ("p50", "p99", "p999")}
    target = MEDIAN_US.get(leaves)
    met = target is None or best["p50"] <= target
    lines.insert(0, plain(f"{name}: one row, p50, us", best["p50"], None, target, met))
    met = best["p99"] <= TAIL_TARGET * best["p50"]
    lines.insert(1, plain(f"{name}: one row, p99 of p50", best["p99"] / best["p50"], None, TAIL_TARGET, met))
    waits = found["open_loop"]
    rate = f"{waits['arrivals_a_second']:,.0f} rows a second arrive"
    for part in ("p50", "p99", "p999"):
        lines.append(plain(f"{name}, open loop, {rate}: {part}, us", waits[part], None, None, True))
    why_not |= NOT_MEASURED
    lines += [{"work": f"{name}, {peer}", "why": why} for peer, why in why_not.items()]
    return {"lines": lines, "settings": {"passes": arguments.passes, "rows": arguments.rows}, **found}


def looked_up(arguments):
    """Lookups in a speed table of a million rows: crates/scorer/examples/speed_table.rs."""
    found = json.loads(run([arguments.lookup, arguments.folder / "score" / "speed.bin"]))
    lines = []
    for lanes in ("repeated", "random", "first"):
        for part in ("p50", "p99"):
            target = LOOKUP_NS if (lanes, part) == ("repeated", "p50") else None
            of = found[lanes][part]
            met = target is None or of <= target
            lines.append(plain(f"{SPEED_TABLE}: {lanes} lanes, {part}, ns", of, None, target, met))
    for what, of in [
        ("one read of memory that waits for the one before, ns", found["one_read_ns"]),
        ("opening, ms", found["open_ms"]),
        ("reading it into memory instead, ms", found["read_ms"]),
        ("comparing with the digest, ms", found["verify_ms"]),
    ]:
        lines.append(plain(f"{SPEED_TABLE}: {what}", of, None, None, True))
    settings = {"rows": found["rows"], "bytes": found["bytes"]}
    return {"lines": lines, "settings": settings, **found}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ours", type=pathlib.Path, required=True)
    parser.add_argument("--export", type=pathlib.Path, required=True)
    parser.add_argument("--lookup", type=pathlib.Path, required=True)
    parser.add_argument("--bundles", default="")
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--batch", type=int, default=100_000)
    parser.add_argument("--only", default="")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path(".bench"))
    arguments = parser.parse_args()

    works = {f"{leaves} leaves": (None, leaves) for leaves in MEDIAN_US}
    for bundle in filter(None, arguments.bundles.split(",")):
        works[pathlib.Path(bundle).name] = (pathlib.Path(bundle), None)
    works[SPEED_TABLE] = (None, None)
    report = {"machine": machine(), "rows": {}}
    (arguments.folder / "score").mkdir(parents=True, exist_ok=True)
    path = arguments.folder / "bench-score.json"
    for name, (bundle, leaves) in works.items():
        if not is_wanted(arguments.only, name, works):
            continue
        if bundle is None and name != SPEED_TABLE:
            bundle = arguments.folder / "score" / name / "bundle"
            if not (bundle / "manifest.json").exists():
                print(f"{name}: training", flush=True)
                run([arguments.ours, "train", bundle, leaves])
        print(name, flush=True)
        try:
            is_table = name == SPEED_TABLE
            of = looked_up(arguments) if is_table else measured(arguments, name, bundle, leaves)
            report["rows"][name] = of
        except Failed as failed:
            report["rows"][name] = {"lines": [{"work": name, "why": str(failed)}], "settings": {}}
        show_now(report["rows"][name]["lines"])
        write(path, report, works)
    finish(report, "one core for a row, two threads for many rows", arguments.check)


if __name__ == "__main__":
    main()
