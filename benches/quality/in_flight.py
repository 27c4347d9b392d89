"""Forecasts of what is in flight: the windows, how snapshots are judged, and what has to be reached.

A snapshot is an open shipment as known at a midnight; its outcome is the time that was left of it. The
peers are trained on the same snapshots, those that were delivered as far as was known at the origin.
Times in days, snapshots weighted as orders are.
"""

import numpy as np

from export import LEVELS
from metrics import SCORE_HEADS, coverage_of_days, inside, mean, score, score_cells, worst_ratio
from table import line
from windows import COVERAGE, not_run, segment_lines, within

# `every`: the peers are trained, and all forecasts judged, at each so many-th of the weekly origins.
NETWORKS = {
    "Olist in flight": {
        "pipeline": "pipelines/olist.toml",
        "as_of": "2018-06-20",
        "every": 8,
        "given_age": 0.85,
        "windows": {
            "all": ("2017-07-03", "2018-05-07"),
            "calm": ("2017-07-03", "2017-10-30"),
            "peak": ("2017-11-06", "2017-12-25"),
            "slow": ("2018-01-01", "2018-03-12"),
            "recovery": ("2018-03-19", "2018-05-07"),
        },
    },
    "German shop in flight": {
        "pipeline": "pipelines/shop_de.toml",
        "as_of": "2009-04-01",
        "dates_only": True,
        "every": 4,
        "given_age": None,
        "windows": {"20 weeks": ("2008-07-07", "2008-11-17")},
    },
    "legs in flight": {
        "pipeline": "pipelines/legs.toml",
        "as_of": None,  # That of the pipeline.
        "every": 2,
        "given_age": 0.75,
        "windows": {
            "all": ("2025-09-01", "2026-01-19"),
            "calm": ("2025-09-01", "2025-10-27"),
            "peak": ("2025-11-10", "2025-12-22"),
            "strike": ("2025-12-29", "2026-01-19"),
        },
    },
}
TITLES = {
    "longhaul": "longhaul, in flight",
    "at_order_given_age": "at order, given the age",
    "lane_remaining_28d": "lane, last 28 days",
    "lightgbm": "a LightGBM, delivered",
    "lightgbm_tuned": "b LightGBM, tuned, mature",
}
PEERS = tuple(name for name in TITLES if name != "longhaul")
LEARNED = ("lightgbm", "lightgbm_tuned")
# A band of ages or a milestone with fewer snapshots in a window says nothing.
SEGMENT_ROWS = 300


def chosen(origins, every):
    """The origins at which peers are trained and all forecasts judged."""
    return sorted(origins)[::every]


def segment_scores(groups, actual, weight, hit, quantiles):
    """Of each group: snapshots, coverage of our 80% interval, and each forecast's losses."""
    found = {}
    for group in np.unique(groups):
        rows = groups == group
        scores = {name: score(actual[rows], weight[rows], hours[rows]) for name, hours in quantiles.items()}
        kept = ("mean_pinball_days", "mae_days")
        found[str(group)] = {
            "rows": int(rows.sum()),
            "coverage_80": mean(hit[rows], weight[rows]),
            "scores": {name: {key: of[key] for key in kept} for name, of in scores.items()},
        }
    return found


def inside_left(actual, quantiles):
    """Whether the time that was left lies in the 80% interval. None was left of a shipment that had been
    delivered, as was recorded later: it is inside by the share of the forecast's P(none is left) that lies
    in [0.1, 0.9], as for the days of `coverage_of_days`. That is known from the quantiles at 0: halfway
    between the last of them and the next level.
    """
    edges = np.concatenate([[0.0], LEVELS, [1.0]])
    at_none = (quantiles <= 0).sum(axis=1)
    none_left = (edges[at_none] + edges[at_none + 1]) / 2
    share = np.clip(np.minimum(none_left, 0.9) - 0.1, 0, None) / none_left
    return np.where(actual == 0, share, inside(actual, quantiles))


def judge(export, rows, forecasts, dates_only=False):
    """Everything about the snapshots of one window: positions among the predicted ones. Where times are
    dates, an outcome is inside by the share of its day that is.
    """
    known = rows[export.weight[rows] > 0]
    if not len(known):
        return None
    actual, weight = export.actual[known], export.weight[known]
    quantiles = {name: forecast["hours"][known] for name, forecast in forecasts.items()}
    # A forecast that was not made for these rows has NaN there.
    quantiles = {name: hours for name, hours in quantiles.items() if not np.isnan(hours).any()}
    hits = {name: inside_left(actual, hours) for name, hours in quantiles.items()}
    if dates_only:
        hits["longhaul"] = coverage_of_days(actual, forecasts["longhaul"]["by_day"][known])
    scores = {
        name: score(actual, weight, hours) | {"coverage_80": mean(hits[name], weight)}
        for name, hours in quantiles.items()
    }
    segments = {
        family: segment_scores(groups[known], actual, weight, hits["longhaul"], quantiles)
        for family, groups in export.segments.items()
    }
    return {
        "predicted": int(len(rows)),
        "rows": int(len(known)),
        "scores": scores,
        "segments": segments,
        "worst": {family: worst(of) for family, of in segments.items()},
        "dates_only": dates_only,
    }


def large(segments):
    """Those with enough snapshots."""
    return {name: of for name, of in segments.items() if of["rows"] >= SEGMENT_ROWS}


def worst(segments):
    """The segment whose coverage is farthest from 80%, of those with enough snapshots."""
    enough = large(segments)
    if not enough:
        return None
    name = max(enough, key=lambda segment: abs(enough[segment]["coverage_80"] - 0.8))
    return {"segment": name, "rows": enough[name]["rows"], "coverage_80": enough[name]["coverage_80"]}


def against(title, scores, peer, target, strict=False):
    work = f"{title}: mean pinball of the time left, days, {TITLES[peer]}"
    if peer not in scores:
        return not_run(work, "not run")
    ours, theirs = (scores[name]["mean_pinball_days"] for name in ("longhaul", peer))
    return line(work, ours, theirs, target, strict=strict)


def lines(network, window, found):
    """The targets of a window by itself; that against the model of orders is of all of a network."""
    title, settings = f"{network} {window}", NETWORKS[network]
    if not found:
        yield not_run(title, "no origin in the export")
        return
    scores, whole = found["scores"], next(iter(settings["windows"]))
    for peer in PEERS:
        target = settings["given_age"] if peer == "at_order_given_age" and window == whole else None
        yield against(title, scores, peer, target or 1.0, strict=target is None)
    yield within(f"{title}: 80% interval covers", scores["longhaul"]["coverage_80"], *COVERAGE)
    for family, segments in found["segments"].items():
        yield from segment_lines(f"{title}: 80% interval covers, {family}", large(segments))


def show(results):
    """A block for each window, the one in which we do worst first."""
    blocks = [
        (*worst_ratio(found["scores"], PEERS), f"{network} {window}", found)
        for network, windows in results.items()
        for window, found in windows.items()
        if found
    ]
    for ratio, best, title, found in sorted(blocks, key=lambda block: -block[0]):
        first, last, n = found["origins"]
        unknown = 1 - found["rows"] / found["predicted"]
        print(
            f"\n{title}: {n} origins from {first} to {last}, {found['rows']:,} snapshots,"
            f" {unknown:.1%} not known yet; {ratio:.3f}x the best other, {TITLES[best]}"
        )
        print(" " * 28 + "".join(f"{head:>14}" for head in SCORE_HEADS))
        ours = found["scores"]["longhaul"]["mean_pinball_days"]
        for name, caption in TITLES.items():
            of = found["scores"].get(name)
            if not of:
                print(f"{caption:28}{'–':>14}")
                continue
            print(f"{caption:28}" + "".join(f"{cell:>14}" for cell in score_cells(of, ours)))
        for family, segments in found["segments"].items():
            for name, of in segments.items():
                given_age = of["scores"].get("at_order_given_age")
                ours = of["scores"]["longhaul"]
                of_given = ours["mean_pinball_days"] / given_age["mean_pinball_days"] if given_age else None
                print(
                    f"  {family} {name}: {of['rows']:,} snapshots, covers {of['coverage_80']:.1%},"
                    f" MAE {ours['mae_days']:.2f} days"
                    + (f", pinball {of_given:.3f}x of given the age" if of_given else "")
                )
