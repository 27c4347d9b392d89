"""`make figures`: writes the figures that README and guides quote, or checks them.

usage: figures.py write|check --longhaul PROGRAM [--only BLOCKS]
       figures.py record artifact|boost|features|networks|open|quality|score FILE

A block is what is between `<!-- figures: NAME -->` and `<!-- end of figures -->`. `demo`, `guide`
and `proof` are what the program prints: it is run for them. The others are tables of benchmarks that
take hours: what those measured is in `benches/results/`, each figure with the commit at which it was
measured, and `record` puts it there (the make targets of the benchmarks call it).
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

from recorded import RESULTS, TABLES, results

ROOT = pathlib.Path(__file__).parent.parent
FILES = {
    "README.md": ["demo", "quality", "in-flight", "networks", "boost", "boost-peers", "boost-scaling", "features", "score", "lookups", "open"],
    "docs/bundle.md": ["artifact"],
    "docs/guide-import.md": ["guide", "proof"],
}


class Programs:
    """Runs of the program in a scratch store; each is made once."""

    def __init__(self, longhaul, folder):
        self.longhaul = longhaul
        self.folder = pathlib.Path(folder)

    def say(self, *arguments):
        """What it prints on stdout."""
        command = [self.longhaul, *map(str, arguments)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
        return done.stdout

    def overview(self, text):
        """The counts and the table of a run, without what names the store."""
        return "```\n" + text.split("\n\nchampion ")[0].strip("\n") + "\n```"

    def demo(self):
        store = self.folder / "demo"
        self.say("simulate", "pipelines/demo.toml", "--store", store, "--quiet")
        return self.overview(self.say("run", "pipelines/demo.toml", "--store", store, "--quiet"))

    def kagu(self):
        """The store of the guide's import, made and run once."""
        store, files = self.folder / "kagu", self.folder / "kagu-files"
        if not store.exists():
            make = [sys.executable, "pipelines/imports/kagu/make.py", str(files)]
            subprocess.run(make, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
            self.say("import", "kagu", "--from", files, "--store", store, "--quiet")
        return store

    def guide(self):
        run = self.say("run", "pipelines/kagu.toml", "--store", self.kagu(), "--quiet")
        return self.overview(run)

    def proof(self):
        as_of = "2026-03-30"
        command = ["proof", "pipelines/kagu.toml", "--as-of", as_of]
        text = self.say(*command, "--store", self.kagu(), "--quiet").strip("\n")
        return f"```\n$ longhaul {' '.join(command)} --store /tmp/kagu-store\n{text}\n```"


def replaced(text, name, figures, path):
    block = re.compile(
        rf"(<!-- figures: {name} -->\n)(?:.*?\n)??(<!-- end of figures -->)", flags=re.DOTALL
    )
    if len(block.findall(text)) != 1:
        raise SystemExit(f"{path}: expected one block <!-- figures: {name} -->")
    return block.sub(lambda found: found[1] + figures + "\n" + found[2], text)


def write_or_check(arguments):
    only = arguments.only.split(",") if arguments.only else None
    stale = []
    with tempfile.TemporaryDirectory() as folder:
        programs = Programs(arguments.longhaul, folder)
        for path, names in FILES.items():
            before = text = (ROOT / path).read_text()
            for name in [name for name in names if only is None or name in only]:
                figures = TABLES.get(name) or getattr(programs, name)
                changed = replaced(text, name, figures(), path)
                print(f"{path}: {name}: {'the same' if changed == text else 'CHANGED'}", flush=True)
                if changed != text:
                    stale.append(f"{path}: {name}")
                text = changed
            if arguments.what == "write" and text != before:
                (ROOT / path).write_text(text)
    if arguments.what == "check" and stale:
        raise SystemExit(f"figures are stale: {'; '.join(stale)}. `make figures` writes them.")


def commit():
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()


def kept_windows(known, report, part, keys):
    """The windows of a part: those that were measured this time; the others keep their commit."""
    of = {(window["network"], window["window"]): window for window in known.get(part, [])}
    for network, windows in report.get(part, {}).items():
        for window, found in windows.items():
            if found:
                measured = {key: found[key] for key in keys if key in found} | {"commit": commit()}
                of[network, window] = {"network": network, "window": window} | measured
    return list(of.values())


def record(name, file):
    path = RESULTS / f"{name}.json"
    if name == "quality":
        report = json.loads(pathlib.Path(file).read_text())
        known = results(name) if path.exists() else {}
        kept = ("origins", "predicted", "rows", "scores")
        windows = kept_windows(known, report, "windows", (*kept, "weeks", "brier_skill", "coverage_of_days", "gates"))
        in_flight = kept_windows(known, report, "in_flight", (*kept, "segments", "worst", "dates_only"))
        known = {"lightgbm_version": report["lightgbm_version"], "windows": windows, "in_flight": in_flight}
    elif name == "networks":
        known = results(name) if path.exists() else {}
        report = json.loads(pathlib.Path(file).read_text())
        # What was measured this time; the others keep their commit.
        for network, lines in report["rows"].items():
            met = all(line["met"] for line in lines["lines"])
            known[network] = report["networks"][network] | {"met": met, "commit": commit()}
    elif name in ("artifact", "open", "score"):
        known = results(name) if path.exists() else {}
        report = json.loads(pathlib.Path(file).read_text())
        columns = ("work", "ours", "theirs", "ratio", "target", "met", "why")
        for work, row in report["rows"].items():
            lines = [{key: line[key] for key in columns if key in line} for line in row["lines"]]
            known[work] = {"lines": lines, "settings": row["settings"], "commit": commit()}
            known[work] |= {"machine": report["machine"]}
            known[work] |= {"open_loop": row["open_loop"]} if "open_loop" in row else {}
    else:
        known = results(name)
        for row in json.loads(pathlib.Path(file).read_text())["rows"].values():
            settings = row["settings"]
            if settings.get("rounds") or settings.get("rows", 1_000_000) != 1_000_000:
                continue  # A trial.
            for line in row["lines"]:
                if "why" not in line:
                    figures = {key: line[key] for key in ("ours", "theirs", "ratio")}
                    pairs = {"pairs": settings["repeats"], "commit": commit()}
                    known[line["work"]] = figures | pairs
    path.write_text(json.dumps(known, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    whats = parser.add_subparsers(dest="what", required=True)
    for what in ("write", "check"):
        of = whats.add_parser(what)
        of.add_argument("--longhaul", required=True)
        of.add_argument("--only", default="")
    of = whats.add_parser("record")
    names = ["artifact", "boost", "features", "networks", "open", "quality", "score"]
    of.add_argument("name", choices=names)
    of.add_argument("file")
    arguments = parser.parse_args()
    if arguments.what == "record":
        record(arguments.name, arguments.file)
    else:
        arguments.longhaul = str(pathlib.Path(arguments.longhaul).resolve())
        write_or_check(arguments)


if __name__ == "__main__":
    main()
