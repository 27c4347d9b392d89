"""What a published model costs: seconds to load and to verify, memory, and bytes beside LightGBM's text.

    run.py --programs FOLDER [--bundle FOLDER] [--check]

Without a bundle it is a generated model: a gate of 100 trees, and two regressors of 300 trees of 31
leaves with nine quantiles."""

import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from table import finish, line, machine, plain, show_now, write  # noqa: E402

LOAD_MS_MAX = 20
VERIFY_SECONDS_MAX = 1
VERIFICATIONS = 5


def printed(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{command[0]} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def lines(arguments):
    bundle = arguments.bundle or arguments.folder / "artifact"
    loaded = json.loads(printed(arguments.programs / "loading", bundle))
    native = loaded["native_bytes"]
    milliseconds = loaded["load_ms"]
    yield plain(
        "loading, ms", milliseconds, None, f"≤ {LOAD_MS_MAX}", milliseconds <= LOAD_MS_MAX
    )
    yield line("memory after loading, against the files: bytes", loaded["kept_bytes"], native, 2.0)
    yield line("peak while loading, against the files: bytes", loaded["peak_bytes"], native, 2.0)

    exported = arguments.folder / "artifact-exported"
    shutil.rmtree(exported, ignore_errors=True)
    printed(arguments.programs / "export", bundle, exported)
    trees = sum(path.stat().st_size for path in exported.glob("regressor_*.bin"))
    texts = sum(path.stat().st_size for path in exported.glob("regressor_*/q*/model.txt"))
    yield line("native trees, against nine model.txt: bytes", trees, texts, 0.25)

    verify = [arguments.programs / "verify_parity", exported]
    runs = [json.loads(printed(*verify)) for _ in range(VERIFICATIONS)]
    seconds = statistics.median(run["seconds"] for run in runs)
    work = f"verifying {runs[0]['rows']} parity vectors: seconds"
    yield plain(work, seconds, None, f"≤ {VERIFY_SECONDS_MAX}", seconds <= VERIFY_SECONDS_MAX)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--bundle", type=pathlib.Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path(".bench"))
    arguments = parser.parse_args()
    arguments.folder.mkdir(exist_ok=True)
    found = list(lines(arguments))
    row = {"settings": {"repeats": VERIFICATIONS}, "lines": found}
    report = {"machine": machine(), "rows": {"artifact": row}}
    show_now(found)
    write(arguments.folder / "bench-artifact.json", report, ["artifact"])
    finish(report, str(arguments.bundle or "a generated model"), arguments.check)


if __name__ == "__main__":
    main()
