"""The simulated networks that are judged, and what has to be reached on each.

A network is `[simulate]` settings on top of `BASE`, the weekly origins to judge, and the moment at
which outcomes are known. Everything else is the program's default; a network whose deliveries take
months sets `[network]` as the program says.
"""

import datetime

from table import plain

BASE = {
    "seed": 1,
    "first_day": "2025-03-03",
    "days": 200,
    "shipments": 20_000,
}
# Mondays. The carrier that is disrupted in every simulated network is so long before.
FIRST_ORIGIN, ORIGINS = "2025-07-14", 5
SMALL = {"shipments": 2_000, "n_nodes": 40, "n_zones": 60}
MONTHS = {"lost_after_days": 365, "history_days": 365, "days_ahead": 360}

# By name: settings of `[simulate]`, `[network]` where it is not the default, and the first origin where
# it is another.
NETWORKS = {
    "2000 shipments": {"simulate": SMALL},
    "20000 shipments": {"simulate": {}},
    "200000 shipments": {"simulate": {"shipments": 200_000}},
    "5% within two days": {"simulate": {"share_within_two_days": 0.05}},
    "40% within two days": {"simulate": {"share_within_two_days": 0.4}},
    "80% within two days": {"simulate": {"share_within_two_days": 0.8}},
    "2000 shipments with 80% within two days": {"simulate": SMALL | {"share_within_two_days": 0.8}},
    "dates only": {"simulate": {"dates_only": True}},
    "dates only with 80% within two days": {
        "simulate": {"dates_only": True, "share_within_two_days": 0.8}
    },
    "2000 shipments with dates only": {"simulate": SMALL | {"dates_only": True}},
    "median 1 day": {"simulate": {"median_days": 1.0}},
    "median 8 days": {"simulate": {"median_days": 8.0}},
    "median 90 days": {
        "simulate": {"median_days": 90.0, "days": 1_000, "first_day": "2023-03-06"},
        "network": MONTHS,
        "first_origin": "2025-02-03",
    },
    "median 90 days without [network]": {
        "simulate": {"median_days": 90.0, "days": 1_000, "first_day": "2023-03-06"},
        "first_origin": "2025-02-03",
    },
    "half never delivered": {"simulate": {"lost_rate": 0.5}},
    "2000 shipments with half never delivered": {"simulate": SMALL | {"lost_rate": 0.5}},
}

BASELINES = ("lane_median_28d", "global_quantiles", "promise")
COVERAGE = (0.76, 0.84)


def settings_of(network):
    return BASE | network["simulate"]


def as_of(network):
    """The day after the last orders, whose night is the last one recorded."""
    settings = settings_of(network)
    first = datetime.date.fromisoformat(settings["first_day"])
    return (first + datetime.timedelta(settings["days"])).isoformat()


def span(network):
    """The first origin, and the day after the last."""
    first = datetime.date.fromisoformat(network.get("first_origin", FIRST_ORIGIN))
    return first.isoformat(), (first + datetime.timedelta(7 * (ORIGINS - 1) + 1)).isoformat()


def toml(value):
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value)


def pipeline(network, declaration):
    """The pipeline file: what is simulated, and no setting beyond those that it needs."""
    tables = {"simulate": settings_of(network), "features": {"declaration": str(declaration)}}
    if "network" in network:
        tables["network"] = network["network"]
    lines = [f'as_of = "{as_of(network)}"']
    for table, settings in tables.items():
        lines += ["", f"[{table}]", *(f"{key} = {toml(value)}" for key, value in settings.items())]
    return "\n".join(lines) + "\n"


def lines(name, found):
    """The targets of one network."""
    why = found.get("why")
    yield plain(f"{name}: from import to predictions", why or "runs", None, "no crash, no refusal", not why)
    scores = found.get("scores")
    if not scores:
        why = found.get("why_no_backtest", "no backtest")
        yield plain(f"{name}: backtest", why, None, f"{ORIGINS} origins", False)
        return
    n = len(found["origins"])
    yield plain(f"{name}: backtest", f"{n} origins", None, f"{ORIGINS} origins", n == ORIGINS)
    ours = scores["longhaul"]["mean_pinball_days"]
    for baseline in BASELINES:
        if baseline in scores:
            theirs = scores[baseline]["mean_pinball_days"]
            ratio = ours / theirs if theirs else float("inf")
            figures = {"ours": ours, "theirs": theirs, "ratio": ratio, "target": 1.0}
            work = f"{name}: mean pinball, days, {baseline}"
            yield {"work": work, **figures, "met": ours < theirs, "strict": True}
    coverage = found["coverage_80"]
    low, high = COVERAGE
    kind = "days" if found["by_days"] else "80% interval"
    met = low <= coverage <= high
    work = f"{name}: coverage of the {kind}"
    yield plain(work, f"{coverage:.1%}", None, f"{low:.0%} to {high:.0%}", met)
