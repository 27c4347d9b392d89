"""What benchmarks recorded in `benches/results/`, as the tables that README and guides quote."""

import json
import pathlib

RESULTS = pathlib.Path(__file__).parent / "results"


def results(name):
    return json.loads((RESULTS / f"{name}.json").read_text())


def table(heads, rows):
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("|".join(["", *(f" {cell} " if cell else " " for cell in line), ""]) for line in lines)


def seconds(value):
    return f"{value:.0f} s" if value >= 100 else f"{value:.1f} s" if value >= 1 else f"{value:.2g} s"


def ratio(value):
    return f"{value:.3f}x" if value < 0.1 else f"{value:.2f}x"


def boost():
    known = results("boost")
    rows = []
    for title, loss, says in [
        ("squared error", "RMSE", ""),
        ("quantile 0.9", "pinball", ""),
        ("nine quantiles", "mean pinball", ", one ensemble against nine models"),
    ]:
        time = known[f"{title}, LightGBM: seconds"]
        quotient = f"{loss} {known[f'{title}, LightGBM: {loss}']['ratio']:.3f}x"
        crossing = known.get(f"{title}, LightGBM: rows that cross")
        if crossing:
            share = crossing["theirs"] / 200_000
            quotient += f", {crossing['ours'] or 'no'} row crosses (LightGBM: {share:.0%})"
        memory = known[f"{title}, LightGBM: memory, MiB"]["ratio"]
        cells = [seconds(time["ours"]), seconds(time["theirs"]), ratio(time["ratio"])]
        rows.append([title + says, *cells, quotient, ratio(memory), str(time["pairs"])])
    time = known["10% censored rows, ours without: seconds"]
    title = "nine quantiles, a tenth of the rows right-censored, against ours with none"
    rows.append([title, seconds(time["ours"]), "", ratio(time["ratio"]), "", "", str(time["pairs"])])
    return table(["work", "longhaul", "LightGBM", "time", "loss", "memory", "pairs"], rows)


def boost_peers():
    known = results("boost")
    losses = {"squared error": "RMSE", "quantile 0.9": "pinball", "nine quantiles": "mean pinball"}
    rows = []
    for title, loss in losses.items():
        for peer in (
            "LightGBM on 40% of the rows",
            "hessboost",
            "XGBoost",
            "XGBoost on 40% of the rows",
            "XGBoost with vector leaves",
            "XGBoost with vector leaves on 40% of the rows",
            "CatBoost",
            "perpetual, 20,000 rows",
        ):
            time = known.get(f"{title}, {peer}: seconds")
            if time is None:
                continue
            quotient = known[f"{title}, {peer}: {loss}"]["ratio"]
            times = f"{1 / time['ratio']:.2g}"
            rows.append([title, peer, times, f"{loss} {quotient:.3f}x", str(time["pairs"])])
    peer = "10% censored rows, XGBoost survival:aft"
    time, quotient = known[f"{peer}: seconds"], known[f"{peer}: mean pinball"]["ratio"]
    title, loss = "nine quantiles, a tenth of the rows right-censored", f"mean pinball {quotient:.3f}x"
    name = "XGBoost, log-normal `survival:aft`"
    rows.append([title, name, f"{1 / time['ratio']:.2g}", loss, str(time["pairs"])])
    return table(["work", "peer", "its time over ours", "loss", "pairs"], rows)


def boost_scaling():
    known = results("boost")
    many = "10,000,000 rows, ours 1,000,000: seconds"
    scaled = [known[f"{title}, {many}"] for title in ("squared error", "nine quantiles")]
    ratios = [
        known[f"Olist, {rows}, nine LightGBM: mean pinball, days"]
        for rows in ("open shipments as censored rows", "delivered rows only")
    ]
    return (
        f"Ten times the rows take {scaled[0]['ratio']:.1f} times as long for squared error, and"
        f" {scaled[1]['ratio']:.1f} times for nine quantiles. With the boosted quantiles alone,"
        " uncalibrated, at the 29 weekly origins of Olist from 2017-10-01 to 2018-04-15 (`make"
        " bench-boost ONLY=olist DIR=…`), the same features for both, open shipments as right-censored"
        f" rows give {ratios[0]['ratio']:.2f} of LightGBM's mean pinball ({ratios[0]['ours']:.3f}"
        f" against {ratios[0]['theirs']:.3f} days), and the delivered rows alone"
        f" {ratios[1]['ratio']:.2f}."
    )


def features():
    known = results("features")
    rows = []
    for full, day in [("Olist", "Olist, one more day"), ("5,000,000 shipments in 730 days", None)]:
        time, memory = known[f"{full}, full build, DuckDB: seconds"], known[f"{full}, full build: peak memory, MiB"]
        sides = [f"{seconds(time[side])}, {memory[side]:,.0f} MiB" for side in ("ours", "theirs")]
        rows.append([f"{full}, from nothing", *sides, ratio(time["ratio"]), str(time["pairs"])])
        time = known[f"{day}: seconds" if day else f"{full}, one more day, ours in full: seconds"]
        rows.append(["the same, one more day", seconds(time["ours"]), "", "", str(time["pairs"])])
    time = known["one more day after 730 days, ours after 73: seconds"]
    title = "one more day of the same size after 73 days, not 730"
    rows.append([title, seconds(time["theirs"]), "", "", str(time["pairs"])])
    return table(["work", "longhaul", "DuckDB", "time", "pairs"], rows)


def of_others(scores, others):
    """Our mean pinball over that of each of the others that there is."""
    ours = scores["longhaul"]["mean_pinball_days"]
    return {other: ours / scores[other]["mean_pinball_days"] for other in others if other in scores}


def quality():
    """The windows, the worst first: ours, each peer's mean pinball over which ours is, and intervals."""
    peers = ("lightgbm", "lightgbm_tuned", "lightgbm_level", "lane_median_28d")
    rows = []
    for window in results("quality")["windows"]:
        scores = window["scores"]
        ours = scores["longhaul"]
        quotients = of_others(scores, peers)
        first, last, n = window["origins"]
        cells = [f"{window['network']} {window['window']}", f"{n} weeks, {first} to {last}"]
        cells += [f"{window['rows']:,}", f"**{ours['mean_pinball_days']:.3f}**"]
        cells += [ratio(quotients[peer]) if peer in quotients else "–" for peer in peers]
        cells += [f"{ours['mae_days']:.2f}"]
        cells += [f"{scores['promise']['mae_days']:.2f}" if "promise" in scores else "–"]
        if "coverage_of_days" in window:
            # Of whole days a yes or no says nothing, of the median least of all.
            cells += [f"{window['coverage_of_days']['longhaul']:.1%} of days", "–"]
        else:
            cells += [f"{ours['coverage_80']:.1%}", f"{ours['below_median']:.1%}"]
        rows.append((-max(quotients.values(), default=0), cells))
    heads = ["window", "origins", "shipments", "mean pinball, days", "of a", "of b", "of c", "of d"]
    heads += ["MAE, days", "promise's", "80% interval covers", "below the median"]
    return table(heads, [cells for _, cells in sorted(rows)])


def in_flight():
    """The windows of what is in flight, the worst first: ours, and each other's mean pinball over which ours
    is, and the coverage of our intervals with the band of ages and the milestone that are farthest off.
    """
    others = ("at_order_given_age", "lane_remaining_28d", "lightgbm", "lightgbm_tuned")
    rows = []
    for window in results("quality").get("in_flight", []):
        scores = window["scores"]
        ours = scores["longhaul"]
        quotients = of_others(scores, others)
        first, last, n = window["origins"]
        cells = [f"{window['network'].removesuffix(' in flight')} {window['window']}"]
        cells += [f"{n}, {first} to {last}", f"{window['rows']:,}", f"**{ours['mean_pinball_days']:.3f}**"]
        cells += [ratio(quotients[other]) if other in quotients else "–" for other in others]
        cells += [f"{ours['mae_days']:.2f}"]
        cells += [f"{ours['coverage_80']:.1%}" + (" of days" if window["dates_only"] else "")]
        for family in ("age", "milestone"):
            worst = window["worst"].get(family)
            cells.append(f"{worst['coverage_80']:.1%}, {worst['segment']}" if worst else "–")
        rows.append((-max(quotients.values(), default=0), cells))
    heads = ["window", "origins", "snapshots", "mean pinball, days", "of given the age", "of the lane"]
    heads += ["of a", "of b", "MAE, days", "80% interval covers", "worst age", "worst milestone"]
    return table(heads, [cells for _, cells in sorted(rows)])


def networks():
    """A row a simulated network: ours over each baseline, and coverage."""
    rows = []
    for name, found in results("networks").items():
        scores, cells = found.get("scores"), [name, "no" if found.get("why") else "yes"]
        if scores:
            ours = scores["longhaul"]["mean_pinball_days"]
            cells += [f"{found['rows']:,}", f"{found['within_two_days']:.0%}", f"{found['median_days']:.1f}"]
            cells.append(f"**{ours:.3f}**")
            for baseline in ("lane_median_28d", "global_quantiles", "promise"):
                theirs = scores.get(baseline, {}).get("mean_pinball_days")
                cells.append(ratio(ours / theirs) if theirs else "–")
            cells.append(f"{found['coverage_80']:.1%}" + (" of days" if found["by_days"] else ""))
        else:
            cells += ["–"] * 8
        rows.append([*cells, "yes" if found["met"] else "no", f"{sum(found['seconds'].values()):.0f} s"])
    heads = ["network", "runs", "shipments judged", "within two days", "median, days"]
    heads += ["mean pinball, days", "of the lane's", "of global quantiles'", "of the promise's"]
    return table([*heads, "80% covers", "all met", "time"], rows)


def score():
    """One row and many, by work and peer: microseconds at the median and the 99th percentile."""
    rows = []
    for work, found in results("score").items():
        known = {line["work"]: line for line in found["lines"] if "why" not in line}
        for peer in ("LightGBM", "ONNX Runtime", "tl2cgen", "nexus-inference"):
            row = known.get(f"{work}, {peer}: one row, p50, us")
            if row is None:
                continue
            tail = known[f"{work}, {peer}: one row, p99, us"]
            many = next(line for name, line in known.items() if name.startswith(f"{work}, {peer}: ") and "threads" in name)
            cells = [f"{line['ours']:.2f}, {line['theirs']:.2f}" for line in (row, tail)]
            rows.append([work, peer, *cells, f"{1 / row['ratio']:.3g}", f"{1 / many['ratio']:.3g}"])
    heads = ["trees", "peer", "one row, us: ours, theirs", "99th percentile", "times as fast", "many rows"]
    return table(heads, rows)


def lookups():
    """Lookups in the speed table: nanoseconds at the median and the 99th percentile."""
    lines = results("score").get("speed table, one lookup", {}).get("lines", [])
    rows = [[line["work"], f"{line['ours']:,.0f}"] for line in lines if "why" not in line]
    return table(["lookups in a table of a million lanes", ""], rows)


def open_shipments():
    """What scoring a million open shipments takes."""
    lines = results("open")["open"]["lines"]
    rows = [[line["work"], f"{line['ours']:,.0f}", line["target"]] for line in lines if "why" not in line]
    return table(["scoring on two threads", "", "target"], rows)


def artifact():
    """What a generated model costs: found, and of what."""
    rows = []
    for line in results("artifact").get("artifact", {}).get("lines", []):
        of = "" if line["theirs"] is None else ratio(line["ratio"])
        found = line["ours"]
        shown = f"{found:,.0f}" if found >= 100 else f"{found:.2f}"
        rows.append([line["work"], shown, of])
    return table(["work", "found", "ratio"], rows)


TABLES = {
    "artifact": artifact,
    "lookups": lookups,
    "open": open_shipments,
    "score": score,
    "quality": quality,
    "in-flight": in_flight,
    "networks": networks,
    "boost": boost,
    "boost-peers": boost_peers,
    "boost-scaling": boost_scaling,
    "features": features,
}
