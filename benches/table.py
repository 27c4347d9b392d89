"""The table of a benchmark: its lines, on the screen and as JSON.

A line has `work, ours, theirs, ratio, target, met`; one that was not measured has `work` and `why`.
"""

import json
import os
import pathlib
import platform


class Failed(Exception):
    """A run that gave no figures."""


def line(work, ours, theirs, target, strict=False, **detail):
    """A line of the table: the ratio has to be at most the target, or below it."""
    ratio = ours / theirs
    met = ratio < target if strict else ratio <= target
    figures = {"ours": ours, "theirs": theirs, "ratio": ratio, "target": target, "met": met}
    return {"work": work, **figures, "strict": strict, **detail}


def plain(work, ours, theirs, target, met, **detail):
    """A line without a ratio."""
    figures = {"ours": ours, "theirs": theirs, "ratio": None, "target": target, "met": met}
    return {"work": work, **figures, **detail}


def is_wanted(only, name, names):
    """Whether a row is wanted: one of the words, separated by commas, is its name or part of it.

    A whole name is not also taken for a part: "q90 lightgbm" leaves the quantized one out.
    """
    return not only or any(
        word == name or (word not in names and word in name) for word in only.split(",")
    )


def cell(value):
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def show(lines):
    heads = ["work", "ours", "theirs", "ratio", "target", "met"]
    table = [heads]
    for known in lines:
        if "why" in known:
            table.append([known["work"], *["–"] * 4, known["why"]])
            continue
        ratio = known["ratio"] and f"{known['ratio']:.3f}x"
        target = known["target"]
        if isinstance(target, float):
            sign = "<" if known.get("strict") else "≤"
            target = f"{sign} {target}x" if ratio else f"{sign} {target:g}"
        figures = [cell(known["ours"]), cell(known["theirs"]), ratio or "–"]
        table.append([known["work"], *figures, cell(target), "yes" if known["met"] else "NO"])
    widths = [max(len(row[i]) for row in table) for i in range(len(heads) - 1)]
    for row in table:
        first, *middle, last = row
        numbers = "  ".join(text.rjust(width) for text, width in zip(middle, widths[1:]))
        print(f"{first.ljust(widths[0])}  {numbers}  {last}")


def show_now(lines):
    """What one row of work gave, at once."""
    for known in lines:
        figures = known.get("why") or f"{cell(known['ours'])} against {cell(known['theirs'])}"
        if known.get("ratio"):
            figures += f", {known['ratio']:.3f}x of at most {known['target']}x"
        print(f"  {known['work']}  {figures}", flush=True)


def finish(report, heading, check):
    """The whole table, and the exit code if a missed target is to have one."""
    lines = lines_of(report)
    print(f"\n{report['machine']['cpu']}, {heading}\n")
    show(lines)
    missed = [line["work"] for line in lines if line.get("met") is False]
    unknown = [line["work"] for line in lines if line.get("met") is None]
    print(f"\n{len(missed)} missed, {len(unknown)} not run, of {len(lines)}")
    if check and missed:
        raise SystemExit(1)


def write(path, report, names):
    """Rows in the order of their names, and all lines as one table."""
    known = report["rows"]
    report["rows"] = {name: known[name] for name in names if name in known}
    columns = ("work", "ours", "theirs", "ratio", "target", "met")
    report["table"] = [{key: line.get(key) for key in columns} for line in lines_of(report)]
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(report, indent=1) + "\n")
    os.replace(unfinished, path)


def lines_of(report):
    return [line for row in report["rows"].values() for line in row["lines"]]


def machine():
    model = platform.processor()
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [l for l in cpuinfo.read_text().splitlines() if l.startswith("model name")]
        model = names[0].split(":")[1].strip() if names else model
    return {"cpu": model, "cores": os.cpu_count(), "load": os.getloadavg()[0]}
