"""How good forecasts are on the rows of a window. Times in days, rows weighted.

A weight is that of inverse probability of censoring: a row whose outcome is known stands for those
like it whose outcome is not. Rows without an outcome have the weight 0.
"""

import numpy as np

from export import LEVELS

LOW, MEDIAN, HIGH = 1, 4, 7  # Positions of 0.1, 0.5 and 0.9.
DAYS, DATES = range(3, 31), range(1, 31)
SEGMENT_ROWS = 500
WEEK_COVERAGE_MIN = 0.68


def mean(values, weight):
    return float(np.average(values, weights=weight)) if weight.sum() > 0 else float("nan")


def inside(actual, quantiles):
    return (actual >= quantiles[:, LOW]) & (actual <= quantiles[:, HIGH])


def score(actual, weight, quantiles):
    """One forecast on rows with outcomes, in hours."""
    miss = actual[:, None] - quantiles
    pinball = np.maximum(LEVELS * miss, (LEVELS - 1) * miss).mean(axis=1)
    return {
        "mean_pinball_days": mean(pinball, weight) / 24,
        "mae_days": mean(np.abs(miss[:, MEDIAN]), weight) / 24,
        "coverage_80": mean(inside(actual, quantiles), weight),
        "below_median": mean(miss[:, MEDIAN] <= 0, weight),
        "width_80_days": mean(quantiles[:, HIGH] - quantiles[:, LOW], weight) / 24,
    }


def coverage_of_days(actual, by_day):
    """Where times are dates: the share of each outcome's day that lies inside [0.1, 0.9] of its forecast,
    that is how likely a randomised probability integral transform is inside (Brockwell, Universal
    residuals, 2007). Its mean is 0.8 if the forecast is right, however coarse days are.

    The day of an outcome is what is between P(by the day before) and P(by its day). What comes on the
    day of the order counts as the first day, and beyond the last day there is the rest.
    """
    day = np.maximum(np.round(actual / 24).astype(int), 1)
    edges = np.concatenate([np.zeros((len(by_day), 1)), by_day, np.ones((len(by_day), 1))], axis=1)
    edges = np.maximum.accumulate(np.clip(edges, 0, 1), axis=1)
    day, rows = np.minimum(day, by_day.shape[1] + 1), np.arange(len(actual))
    low, high = edges[rows, day - 1], edges[rows, day]
    within = np.clip(np.minimum(high, 0.9) - np.maximum(low, 0.1), 0, None)
    width = high - low
    point = (low >= 0.1) & (low <= 0.9)
    return np.where(width > 1e-9, within / np.maximum(width, 1e-9), point)


def width_at(coverage, actual, weight, quantiles):
    """Mean width in days of the 80% intervals, all stretched around their medians by the one factor
    at which they cover as much as is asked. Below 0 hours there is nothing.
    """
    low, median, high = quantiles[:, LOW], quantiles[:, MEDIAN], quantiles[:, HIGH]
    side = np.where(actual >= median, high - median, median - low)
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = np.abs(actual - median) / side
    # An outcome on the median needs no width, one beside an interval without width any.
    needed = np.where(actual == median, 0, np.where(side > 0, needed, np.inf))
    order = np.argsort(needed)
    reached = np.cumsum(weight[order]) / weight.sum()
    place = min(np.searchsorted(reached, coverage - 1e-12), len(order) - 1)
    factor = needed[order][place]
    low = np.maximum(median - factor * (median - low), 0)
    return mean(median + factor * (high - median) - low, weight) / 24


def coverages(groups, actual, weight, quantiles, rows_min=0):
    """Coverage of the 80% interval and rows by group, of the groups that have enough."""
    hit = inside(actual, quantiles)
    found = {}
    for group in np.unique(groups):
        rows = groups == group
        if rows.sum() >= max(rows_min, 1):
            found[str(group)] = {"rows": int(rows.sum()), "coverage_80": mean(hit[rows], weight[rows])}
    return found


def brier_skill(actual, weight, ours, theirs, days=DAYS):
    """1 - ours/theirs of the Brier scores of P(by day d), by day; `None` without any loss."""
    skill = {}
    for day in days:
        happened = actual <= 24 * day
        scores = [mean((by_day[:, day - 1] - happened) ** 2, weight) for by_day in (ours, theirs)]
        skill[day] = 1 - scores[0] / scores[1] if scores[1] > 0 else None
    return skill


def weeks_running_below(weeks):
    """Pairs of weeks, one after the other, both of which cover too little."""
    names = sorted(weeks)
    return [
        (a, b)
        for a, b in zip(names, names[1:])
        if np.datetime64(b) - np.datetime64(a) <= np.timedelta64(7, "D")
        and max(weeks[a]["coverage_80"], weeks[b]["coverage_80"]) < WEEK_COVERAGE_MIN
    ]


def gates(origins, actual, weight, over_two_days):
    """Of each origin: the mean probability of more than two days, and the share that took more."""
    found = {}
    for origin in np.unique(origins):
        rows = origins == origin
        probability = mean(over_two_days[rows], weight[rows])
        found[str(origin)] = {"mean": probability, "share": mean(actual[rows] > 48, weight[rows])}
    return found


def segments_of(export, rows, ordered_at):
    """Families of segments and the segment of each row."""
    families = {}
    for name in ("destination_region", "carrier", "service"):
        if export.levels.get(name):
            code = export.matrix[rows, export.names.index(name)]
            levels = np.array([*export.levels[name], "none"])
            families[name] = levels[np.where(np.isnan(code), len(levels) - 1, code).astype(int)]
    if "ordered_weekday" in export.names:
        weekday = export.matrix[rows, export.names.index("ordered_weekday")].astype(int)
    else:
        weekday = (ordered_at // 86_400_000_000 + 3) % 7
    families["weekday"] = weekday.astype(str)
    return families


def judge(export, rows, forecasts, dates_only=False):
    """Everything about the rows of one window: positions among the predicted ones.

    `forecasts`: by name, `hours` for each predicted row, and maybe `by_day`. Where times are dates,
    coverage is that of days too, and the first two days count.
    """
    known = rows[export.weight[rows] > 0]
    actual, weight = export.actual[known], export.weight[known]
    quantiles = {name: forecast["hours"][known] for name, forecast in forecasts.items()}
    # A forecast that was not made for these rows has NaN there.
    quantiles = {name: hours for name, hours in quantiles.items() if not np.isnan(hours).any()}
    ours = quantiles["longhaul"]
    scores = {name: score(actual, weight, hours) for name, hours in quantiles.items()}
    coverage = scores["longhaul"]["coverage_80"]
    if "lightgbm_tuned" in quantiles:
        peer = scores["lightgbm_tuned"]
        peer["width_80_days_at_our_coverage"] = width_at(
            coverage, actual, weight, quantiles["lightgbm_tuned"]
        )
    segments = {
        family: coverages(groups, actual, weight, ours, SEGMENT_ROWS)
        for family, groups in segments_of(export, export.rows[known], export.ordered_at[known]).items()
    }
    result = {
        "predicted": int(len(rows)),
        "rows": int(len(known)),
        "scores": scores,
        "weeks": coverages(export.origin[known], actual, weight, ours),
        "segments": segments,
    }
    by_day = [forecasts.get(name, {}).get("by_day") for name in ("longhaul", "lane_median_28d")]
    if all(probabilities is not None for probabilities in by_day):
        days = DATES if dates_only else DAYS
        result["brier_skill"] = brier_skill(actual, weight, *(p[known] for p in by_day), days)
    if dates_only:
        result["coverage_of_days"] = {
            name: mean(coverage_of_days(actual, forecast["by_day"][known]), weight)
            for name, forecast in forecasts.items()
            if "by_day" in forecast and name != "promise"
        }
        over_two_days = forecasts["longhaul"]["over_two_days"][known]
        result["gates"] = gates(export.origin[known], actual, weight, over_two_days)
    return result


def worst_ratio(scores, peers):
    """Our mean pinball against that of the best of these, and which that is."""
    known = {peer: scores[peer]["mean_pinball_days"] for peer in peers if peer in scores}
    best = min(known, key=known.get)
    return scores["longhaul"]["mean_pinball_days"] / known[best], best


SCORE_HEADS = ("pinball, days", "ours/theirs", "MAE, days", "80% covers", "below median")


def score_cells(of, ours):
    """The scores of a forecast as text, under `SCORE_HEADS`; `ours` is our mean pinball."""
    cells = [f"{of['mean_pinball_days']:.4f}", f"{ours / of['mean_pinball_days']:.3f}x"]
    return [*cells, f"{of['mae_days']:.3f}", f"{of['coverage_80']:.1%}", f"{of['below_median']:.1%}"]
