"""Makes the files of an invented furniture shop in Japan and Australia: python3 make.py DIR

docs/guide-import.md maps them. They are the same every time, and odd on purpose: clocks of several
zones, pounds, inches, cents, codes, corrections as later rows, and some rows that are wrong. What
it made it prints as JSON, so that a mapping can be checked against it."""
import csv, json, math, pathlib, random, sys
from collections import Counter
from datetime import datetime, timedelta

draw = random.Random(2026).random  # the one method whose draws Python promises to keep
FIRST, DAYS, END = datetime(2025, 9, 15), 210, datetime(2026, 4, 20)  # all instants are UTC
SUMMER = datetime(2025, 10, 4, 16), datetime(2026, 4, 4, 16)  # of Sydney
TOKYO, SYDNEY, PERTH = "Asia/Tokyo", "Australia/Sydney", "Australia/Perth"
SHOPS = {"SYD": SYDNEY, "PER": PERTH, "TYO": TOKYO}
# place, post code, state, latitude, longitude, zone, mean hours until the carrier has it
DEPOTS = {
    "ASA": ("旭川", "0700030", "北海道", 43.77, 142.36, TOKYO, 70),
    "TAK": ("高山", "5060001", "岐阜県", 36.15, 137.25, TOKYO, 50),
    "OKA": ("大川", "8310001", "福岡県", "", "", TOKYO, 40),
    "MEL": ("Melbourne", "3000", "VIC", -37.81, 144.96, SYDNEY, 20),
    "SYD": ("Sydney", "2000", "NSW", -33.87, 151.21, SYDNEY, 14),
    "PER": ("Perth", "6000", "WA", -31.95, 115.86, PERTH, 22),
}
# first post code, latitude, longitude, how many of a hundred and fifty buy there
STATES = {
    "NSW": (2000, -33.9, 151.2, 30), "VIC": (3000, -37.8, 145.0, 25), "QLD": (4000, -27.5, 153.0, 12),
    "SA": (5000, -34.9, 138.6, 8), "WA": (6000, -31.9, 115.9, 12), "NT": (800, -12.5, 130.8, 2),
    "北海道": (600000, 43.1, 141.3, 8), "東京都": (1000000, 35.7, 139.7, 25), "岐阜県": (5000000, 35.4, 136.8, 5),
    "大阪府": (5300000, 34.7, 135.5, 15), "福岡県": (8100000, 33.6, 130.4, 8),
}
KINDS = {"chair": (18, 19000), "table": (62, 64000), "shelf": (41, 28000), "ねじ": (0.4, 700)}  # pounds, cents
# Sales around the nights on which Sydney's clocks change: the shop's wall clock, UTC, who buys.
CLOCKS = [
    ("SYD", "2026-04-05 01:30", datetime(2026, 4, 4, 14, 30), "NSW"),
    ("PER", "2026-04-05 00:30", datetime(2026, 4, 4, 16, 30), "NSW"),
    ("TYO", "2026-04-05 00:45", datetime(2026, 4, 4, 15, 45), "NSW"),
    ("SYD", "2026-04-05 02:30", datetime(2026, 4, 4, 15, 30), "SA"),  # occurs twice: the earlier
    ("SYD", "2025-10-05 02:30", datetime(2025, 10, 4, 16, 30), "NSW"),  # does not occur: no such hour
    ("PER", "2025-10-05 12:00", datetime(2025, 10, 5, 4), "WA"),
    ("TYO", "2025-12-24 08:15", datetime(2025, 12, 23, 23, 15), "北海道"),
]
sales, parcels, scans, made, names = [], [], [], Counter(), []

def clock(utc, zone, style="%Y-%m-%d %H:%M"):
    """What a clock on the wall there shows."""
    summer = zone == SYDNEY and SUMMER[0] <= utc < SUMMER[1]
    return (utc + timedelta(hours={TOKYO: 9, PERTH: 8}.get(zone, 11 if summer else 10))).strftime(style)

def hours(n): return timedelta(minutes=int(60 * n))
def pick(options): return options[int(draw() * len(options))]
def japanese(state): return ord(state[0]) > 127

def post_of(state):
    first = STATES[state][0]
    return f"{first + int(draw() * 12) * 100:07}" if japanese(state) else f"{first + int(draw() * 40):04}"

def log(parcel, code, at, depot, entered, shown=None):
    """A row of the log, if it is entered before the files end."""
    if entered < END:
        shown = shown or clock(at, DEPOTS[depot][5], "%d/%m/%Y %H:%M")
        scans.append((parcel, code, shown, depot, clock(entered, SYDNEY)))
    return entered < END

def ship(name, sale, placed, state, speed, cancelled, odd):
    """A parcel and what is logged of it. One of 400 is odd in each of some ways."""
    near = [code for code, depot in DEPOTS.items() if japanese(depot[2]) == japanese(state)]
    depot = pick(list(DEPOTS) if draw() < 0.15 else near)
    kind, pieces, (_, _, origin, _, _, zone, handling) = pick(list(KINDS)), 1 + int(draw() * 3), DEPOTS[depot]
    pounds, cents = KINDS[kind]
    size = "" if draw() < 0.1 else f"{4 + int(draw() * 60)}x{4 + int(draw() * 30)}x{4 + int(draw() * 40) / 2}"
    parcels.append([name, sale, depot, kind, 0 if odd == 100 else pieces, round(pieces * pounds * (0.8 + draw() * 0.4), 2),
                    size, pieces * cents, 900 + int(draw() * 4000), pick(["KURO", "AUSX", "SEAL"]),
                    clock(placed + timedelta(days=4), zone, "%d/%m/%Y")])
    if cancelled:
        return log(name, "90", cancelled, depot, cancelled + hours(0.1))
    picked = placed + hours(2 + handling * (0.3 + draw() - 0.5 * math.log(1 - draw())))
    far = 260 if japanese(origin) != japanese(state) else 16 if origin == state else 110 if "WA" in (origin, state) else 55
    there = picked + hours(far * (0.6 if speed == "E" else 1) * (0.7 + draw() * 0.6 - 0.15 * math.log(1 - draw())))
    late = draw() < 0.01 and odd not in (150, 200, 250)  # the pickup is typed in after the delivery
    log(name, "10", picked - hours(1), depot, picked - hours(0.9))
    log(name, "20", picked, depot, there + hours(9) if late else picked + hours(0.1 + draw()))
    if odd == 150:  # delivered two days before the carrier had it
        made["delivered_before_handover"] += log(name, "30", picked - timedelta(days=2), depot, there + hours(1))
    elif odd == 200:  # nobody wrote down when
        made["delivered_without_time"] += log(name, "30", there, depot, there + hours(1), "tba")
    elif odd == 250:  # a code that is in no list
        made["status_unknown"] += log(name, "77", there, depot, there + hours(1))
    elif draw() < 0.01:  # lost
        log(name, "40", there, depot, there + timedelta(days=10))
    else:
        log(name, "30", there, depot, entered := there + hours(0.2 + draw() * 6))
        if draw() < 0.02:  # corrected a day later: it had come three hours before
            log(name, "35", there - hours(3), depot, entered + timedelta(days=1))
        if draw() < 0.01:  # sent back
            log(name, "50", there + timedelta(days=6), depot, there + timedelta(days=8))

def sell(shop, shown, placed, state):
    """A sale: its first row, perhaps a corrected one, and its parcels."""
    number, zone, speed = len(names), SHOPS[shop], "E" if draw() < 0.2 else "N"
    names.append(sale := f"K{number:05}")
    luck, changed, paid = draw(), placed + hours(1.5 + draw() * 30), placed + hours(draw() ** 3 * 72)
    odd = number % 600 == 599  # a second row with a status that is in no list
    paid = "" if odd or luck < 0.03 or paid + timedelta(days=2) > END else clock(paid, zone, "%d/%m/%Y")
    sales.append(row := [sale, 1, shop, shown, "", paid, post_of(state), state, speed, "O", clock(placed + timedelta(days=12), zone, "%d/%m/%Y")])
    moved, cancelled = 0.05 < luck < 0.08, luck < 0.02 and not odd  # to another post code
    if (odd or moved or cancelled) and changed < END:
        post, st = post_of(state) if moved else row[6], "?" if odd else "X" if cancelled else "O"
        sales.append([sale, 2, shop, shown, clock(changed, zone), paid, post, state, speed, st, row[10]])
        made["order_status_unknown"] += odd
    for n in range(1 + (draw() < 0.4) + (draw() < 0.1)):
        wrong = len(parcels) % 400
        unknown = "Q" if wrong == 50 else ""  # its sale is in no file
        ship(f"{unknown}{sale}/{n + 1}", unknown + sale, placed, state, speed, changed if cancelled and changed < END else None, wrong)

weighted = [state for state, (*_, n) in STATES.items() for _ in range(n)]
for sale in CLOCKS: sell(*sale)
parcels[0][5:7] = [10, "40x20x15.5"]  # 4535.924 g, 101.6 cm
# Typed in at an hour that Sydney's office has twice: taken for the earlier, it is before the event.
scans[:] = [scan for scan in scans if scan[0] != "K00001/1"]
made["handed_over_after_recorded"] += log("K00001/1", "20", datetime(2026, 4, 4, 16, 40), "PER", datetime(2026, 4, 4, 16, 45))
parcels[[row[0] for row in parcels].index("K00001/1")][2] = "PER"
for day in range(DAYS):
    for _ in range(int(14 + draw() * 10)):
        state = pick(weighted)
        shop, utc = ("TYO", 9) if japanese(state) else ("PER", 8) if state == "WA" else ("SYD", 10)
        placed = FIRST + timedelta(days=day, minutes=int((7 + 15 * draw()) * 60)) - hours(utc)  # not at night
        sell(shop, clock(placed, SHOPS[shop]), placed, state)
scans += scans[500:512]  # exported twice
versions = Counter(parcel for parcel, _ in {(scan[0], scan[4]) for scan in scans if scan[1] != "10"})
versions.update(parcel[0] for parcel in parcels if parcel[0][0] != "Q")  # and one version when it is sold
made["n_units_range"] = sum(versions[parcel[0]] for parcel in parcels if parcel[4] == 0)
made["order_known"] = sum(n for parcel, n in versions.items() if parcel[0] == "Q")
print(json.dumps({
    "sales": len(names), "parcels": len(parcels), "shipment_versions": versions.total(),
    "order_versions": len(sales) + sum(row[1] == 1 and row[5] != "" for row in sales), "odd": dict(made),
}))
# Most post codes have a point, or three of them; one of them is in the sea.
points = [(post, lat + 0.3 * draw(), lon + 0.3 * draw()) for post, (lat, lon) in sorted(
    {(row[6], STATES[row[7]][1:3]) for row in sales}) if draw() < 0.9 for _ in range(1 + 2 * (draw() < 0.3))]
(folder := pathlib.Path(sys.argv[1])).mkdir(parents=True, exist_ok=True)
for name, head, rows in [
    ("sales.csv", "Sale No;Rev;店;Placed;Changed;Paid;Post Code;State;Speed;St;Promised", sales),
    ("parcels.csv", "Parcel;Sale No;From;Kind;Pieces;Pounds;Inches;Price c;Freight c;Carrier;Ready By", parcels),
    ("scans.csv", "Parcel;Code;At;Depot;Entered", scans),
    ("depots.csv", "Depot;Place;Post Code;State;Lat;Lon;Clock", [[code, *depot[:6]] for code, depot in DEPOTS.items()]),
    ("points.csv", "Post Code;Lat;Lon", [*points, ("2000", 0, 0)]),
]:
    with open(folder / name, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=";", lineterminator="\n").writerows([head.split(";"), *rows])
