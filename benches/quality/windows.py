"""The windows that are judged, each by itself, and what has to be reached in them.

`to` is the last weekly origin of a window. `CHECK=1` fails if a line of `targets` is missed.
"""

from table import line, plain

NETWORKS = {
    "Olist": {
        "pipeline": "pipelines/olist.toml",
        "as_of": "2018-06-01",
        "windows": {
            "calm": ("2017-07-03", "2017-10-30"),
            "peak": ("2017-11-06", "2017-12-25"),
            "slow": ("2018-01-01", "2018-03-12"),
            "recovery": ("2018-03-19", "2018-05-07"),
            "README": ("2018-01-01", "2018-04-09"),
            "29 weeks": ("2017-10-02", "2018-04-16"),
        },
    },
    "German shop": {
        "pipeline": "pipelines/shop_de.toml",
        "as_of": "2009-04-01",
        "dates_only": True,
        "windows": {
            # The orders of the last origin's week end before 2008-11-24.
            "20 weeks": ("2008-07-07", "2008-11-17"),
            "summer": ("2008-07-07", "2008-09-08"),
            "autumn": ("2008-09-15", "2008-11-17"),
        },
    },
    "simulated": {
        "pipeline": "pipelines/seasons.toml",
        "as_of": None,  # That of the pipeline.
        "windows": {
            "calm": ("2025-08-04", "2025-10-06"),
            "peak": ("2025-11-10", "2025-12-29"),
            "strike": ("2026-01-12", "2026-03-02"),
            "recovery": ("2026-03-09", "2026-04-27"),
        },
    },
}
# Each by itself; the others are there for a target of their own.
JUDGED = ("calm", "peak", "slow", "strike", "recovery")
# The product before it had the level of the network, by this benchmark: mean pinball, with the weights
# that there were then, namely none. `BEFORE_EXPORT=` has it scored with today's.
BEFORE = {("Olist", "recovery"): {"mean_pinball_days": 1.3600, "commit": "39c5b3d"}}

TITLES = {
    "longhaul": "longhaul",
    "lightgbm": "a LightGBM, delivered rows",
    "lightgbm_tuned": "b LightGBM, tuned, mature",
    "lightgbm_level": "c b with level and clock",
    "lane_median_28d": "d lane, last 28 days",
    "promise": "e promise",
    "before": "longhaul, BEFORE_EXPORT",
}
PEERS = ("lightgbm", "lightgbm_tuned", "lightgbm_level", "lane_median_28d")
# Mean pinball has to be below these in every window.
BEATEN = ("lightgbm", "lightgbm_tuned", "lane_median_28d")
COVERAGE, MEDIAN, SEGMENT = (0.77, 0.83), (0.45, 0.55), (0.74, 0.86)
# Of the 29 weekly origins of Olist: at most so many times the peer's.
JOINT = [
    ("mean_pinball_days", "lightgbm", 0.77),
    ("mean_pinball_days", "lightgbm_tuned", 0.92),
    ("mean_pinball_days", "lightgbm_level", 0.98),
    ("mae_days", "lightgbm", 0.87),
]
README_PINBALL_DAYS = 1.86
RECOVERY_RATIO = 0.94
# Of the German shop: at most so many times (a), and how far the gate's mean may be from the truth.
SHOP_RATIO, GATE_DISTANCE = 0.90, 0.05
WORDS = {"mean_pinball_days": "mean pinball, days", "mae_days": "MAE, days"}


def not_run(work, why):
    return {"work": work, "why": why}


def against(title, scores, metric, peer, target, strict=False):
    work = f"{title}: {WORDS[metric]}, {TITLES[peer]}"
    if peer not in scores:
        return not_run(work, "not in the export" if peer == "lane_median_28d" else "not run")
    ours, theirs = scores["longhaul"][metric], scores[peer][metric]
    return line(work, ours, theirs, target, strict=strict)


def within(work, share, low, high):
    return plain(work, f"{share:.1%}", None, f"{low:.0%} to {high:.0%}", low <= share <= high)


def segment_lines(title, segments):
    """One line for all segments of a family, or one for each that is outside."""
    if not segments:
        return
    shares = {segment: of["coverage_80"] for segment, of in segments.items()}
    outside = [segment for segment, share in shares.items() if not SEGMENT[0] <= share <= SEGMENT[1]]
    for segment in outside:
        yield within(f"{title} {segment}, {segments[segment]['rows']:,} rows", shares[segment], *SEGMENT)
    if not outside:
        least, most = min(shares.values()), max(shares.values())
        target = f"{SEGMENT[0]:.0%} to {SEGMENT[1]:.0%}"
        yield plain(f"{title}, {len(shares)} segments", f"{least:.1%} to {most:.1%}", None, target, True)


def judged_lines(title, found):
    """The targets of every window by itself."""
    scores, ours = found["scores"], found["scores"]["longhaul"]
    for peer in BEATEN:
        yield against(title, scores, "mean_pinball_days", peer, 1.0, strict=True)
    yield within(f"{title}: 80% interval covers", ours["coverage_80"], *COVERAGE)
    yield within(f"{title}: below the median", ours["below_median"], *MEDIAN)
    for family, segments in found["segments"].items():
        yield from segment_lines(f"{title}: 80% interval covers, {family}", segments)
    pairs = found["weeks_running_below"]
    least = min(week["coverage_80"] for week in found["weeks"].values())
    work = f"{title}: 80% interval covers, weeks, the least" + "".join(f", {a} and {b}" for a, b in pairs)
    yield plain(work, f"{least:.1%}", None, "no two running below 68%", not pairs)
    work = f"{title}: width of the 80% interval, days, b at the same coverage"
    width = scores.get("lightgbm_tuned", {}).get("width_80_days_at_our_coverage")
    yield line(work, ours["width_80_days"], width, 1.0) if width else not_run(work, "not run")
    work = f"{title}: Brier skill of P(by day d) against the lane, d from 3 to 30, the least"
    if "brier_skill" not in found:
        yield not_run(work, "not in the export")
        return
    # Where the lane loses nothing, there is nothing to gain either.
    skills = {day: skill for day, skill in found["brier_skill"].items() if skill is not None}
    day = min(skills, key=skills.get)
    yield plain(f"{work}: {day}", f"{skills[day]:.3f}", None, "> 0", skills[day] > 0)


def dates_lines(title, found):
    """The targets of a network whose times are dates."""
    scores = found["scores"]
    yield against(title, scores, "mean_pinball_days", "lightgbm", SHOP_RATIO)
    for peer in ("lightgbm_tuned", "lightgbm_level", "lane_median_28d", "promise"):
        # An export may have no level; all others are to be there.
        if peer in scores or peer != "lightgbm_level":
            yield against(title, scores, "mean_pinball_days", peer, 1.0, strict=True)
    coverage = found["coverage_of_days"]["longhaul"]
    yield within(f"{title}: coverage of the days", coverage, *COVERAGE)
    skills = {day: skill for day, skill in found["brier_skill"].items() if skill is not None}
    day = min(skills, key=skills.get)
    work = f"{title}: Brier skill of P(by day d) against the lane, d from 1 to 30, the least: {day}"
    yield plain(work, f"{skills[day]:.3f}", None, "> 0", skills[day] > 0)
    off = {origin: abs(gate["mean"] - gate["share"]) for origin, gate in found["gates"].items()}
    origin = max(off, key=off.get)
    work = f"{title}: the gate's mean against the share over two days, the farthest: {origin}"
    gate = found["gates"][origin]
    met = off[origin] <= GATE_DISTANCE
    yield plain(work, f"{gate['mean']:.3f}", f"{gate['share']:.3f}", f"within {GATE_DISTANCE}", met)


def lines(network, window, found):
    title = f"{network} {window}"
    if not found:
        yield not_run(title, "no origin in the export")
        return
    scores = found["scores"]
    ours = scores["longhaul"]["mean_pinball_days"]
    if window in JUDGED:
        yield from judged_lines(title, found)
    if network == "German shop" and window == "20 weeks":
        yield from dates_lines(title, found)
    if (network, window) in BEFORE:
        before = BEFORE[network, window]
        work = f"{title}: mean pinball, days, longhaul at {before['commit']}"
        before = scores.get("before", before)
        yield line(work, ours, before["mean_pinball_days"], RECOVERY_RATIO)
    if window == "29 weeks":
        for metric, peer, target in JOINT:
            yield against(title, scores, metric, peer, target)
    if window == "README":
        target = f"≤ {README_PINBALL_DAYS}"
        yield plain(f"{title}: mean pinball, days", ours, None, target, ours <= README_PINBALL_DAYS)
