"""LightGBM on the rows and features of an exported backtest, one origin at a time.

Three peers, as README.md says: nine quantile models on the delivered rows; the same tuned, on mature
cohorts, with conformal intervals; and that with the level of the network and the working-time clock as
offset. Nine models of an origin share one `Dataset`, that is one binning.
"""

import hashlib
import json
import os

import lightgbm
import numpy as np

from export import HOLIDAYS, LEVEL, LEVELS, ORDERED
from working_time import WorkingTime

# As README of the project has had it since there are figures of Olist.
PLAIN = {
    "rows": "delivered",
    "rounds": 300,
    "parameters": {"num_leaves": 31, "learning_rate": 0.05},
}
# Chosen by tune.py at the weekly origins of Olist from 2017-05-01 to 2017-06-26; README.md has how.
TUNED = {
    "rows": "mature",
    "rounds": 120,
    "parameters": {
        "num_leaves": 15,
        "learning_rate": 0.1,
        "min_data_in_leaf": 200,
        "lambda_l2": 1.0,
        "feature_fraction_bynode": 0.3,
    },
    "conformal": "pairs",
    "refit": True,
}
PEERS = {
    "lightgbm": PLAIN,
    "lightgbm_tuned": TUNED,
    "lightgbm_level": TUNED | {"offset": True},
}
MATURE_DAYS = 30
CALIBRATION_DAYS = 28
COMMON = {"objective": "quantile", "num_threads": 1, "verbose": -1, "seed": 1}


class NoOffset(Exception):
    """The export has no level or clock."""


class Offset:
    """Outcomes in working hours over the level of the network, as of one origin."""

    def __init__(self, export, origin):
        missing = [name for name in (LEVEL, ORDERED, HOLIDAYS) if name not in export.offset]
        scale = export.time_scales.get(origin, {})
        if missing or not scale.get("clock") or not scale.get("level_otherwise_hours"):
            missing += [] if scale.get("clock") else [f"the clock of {origin}"]
            raise NoOffset(f"{export.folder} lacks {', '.join(missing)}")
        self.columns, self.scale = export.offset, scale

    def of(self, rows):
        clock = WorkingTime(
            self.columns[ORDERED][rows],
            self.columns[HOLIDAYS][rows],
            self.scale["clock"]["weekday_rates"],
            self.scale["clock"]["holiday_factor"],
        )
        level = self.columns[LEVEL][rows].astype(float)
        return clock, np.where(np.isnan(level), self.scale["level_otherwise_hours"], level)

    def learnt(self, rows, hours):
        clock, level = self.of(rows)
        return clock.working(hours) / level

    def hours(self, rows, quantiles):
        clock, level = self.of(rows)
        return np.stack([clock.hours(column * level) for column in quantiles.T], axis=1)


def models(settings, matrix, outcome, categorical, levels):
    """One model for each level, on one binning."""
    parameters = COMMON | settings["parameters"]
    data = lightgbm.Dataset(
        matrix, outcome, categorical_feature=categorical, params=parameters, free_raw_data=False
    )
    return [
        lightgbm.train(parameters | {"alpha": level}, data, num_boost_round=settings["rounds"])
        for level in levels
    ]


def predicted(models, matrix):
    """Quantiles of each row, sorted, which can only help."""
    return np.sort(np.stack([model.predict(matrix) for model in models], axis=1), axis=1)


def corrections(how, quantiles, outcome):
    """What split-conformal prediction adds to each level, from rows that were not trained on.

    `pairs`: of each central interval both ends move by the same, outwards by the quantile of
    max(low - y, y - high), and the median stays (Romano, Patterson and Candès, Conformalized Quantile
    Regression, 2019, theorem 1). `levels`: each level by the quantile of y - q, as their theorem 2 has
    it for each end. `none`: nothing.
    """
    n, added = len(outcome), np.zeros(len(LEVELS))
    if how == "none" or n == 0:
        return added

    def score_at(scores, level):
        rank = min(int(np.ceil((n + 1) * level)), n)
        return np.sort(scores)[rank - 1]

    if how == "levels":
        return np.array([score_at(outcome - quantiles[:, k], level) for k, level in enumerate(LEVELS)])
    for k in range(len(LEVELS) // 2):
        high = len(LEVELS) - 1 - k
        scores = np.maximum(quantiles[:, k] - outcome, outcome - quantiles[:, high])
        added[high] = score_at(scores, LEVELS[high] - LEVELS[k])
        added[k] = -added[high]
    return added


class Work:
    """What one peer has to learn and to predict at one origin."""

    def __init__(self, export, origin, settings, levels=LEVELS):
        self.export, self.settings, self.levels = export, settings, levels
        rows, hours = export.roles["delivered"][origin]
        self.predict = export.roles["predict"][origin][0]
        age = export.days_before(origin)[rows]
        mature = age >= MATURE_DAYS
        self.calibration = mature & (age < MATURE_DAYS + CALIBRATION_DAYS)
        if settings["rows"] == "mature":
            rows, hours, self.calibration = rows[mature], hours[mature], self.calibration[mature]
        self.rows, self.delivered_hours = rows, hours.astype(float)
        self.offset = Offset(export, origin) if settings.get("offset") else None
        self.outcome = self.offset.learnt(rows, self.delivered_hours) if self.offset else self.delivered_hours

    def digest(self):
        """Of all that the forecast follows from."""
        parts = hashlib.sha256()
        settings = {"settings": self.settings, "common": COMMON, "lightgbm": lightgbm.__version__}
        settings |= {"days": [MATURE_DAYS, CALIBRATION_DAYS], "features": self.export.names}
        parts.update(json.dumps(settings, sort_keys=True).encode())
        parts.update(repr(self.export.categorical).encode())
        for rows in (self.rows, self.predict):
            parts.update(self.export.matrix[rows].tobytes())
        parts.update(self.outcome.tobytes() + self.calibration.tobytes())
        if self.offset:
            parts.update(json.dumps(self.offset.scale, sort_keys=True).encode())
            for name in sorted(self.offset.columns):
                parts.update(self.offset.columns[name][self.predict].tobytes())
        return parts.hexdigest()[:16]

    def fit(self, rows):
        matrix = self.export.matrix[self.rows[rows]]
        return models(self.settings, matrix, self.outcome[rows], self.export.categorical, self.levels)

    def quantiles(self):
        """Of each row to predict, in hours."""
        how, matrix = self.settings.get("conformal", "none"), self.export.matrix[self.predict]
        everything = np.ones(len(self.rows), dtype=bool)
        if how == "none":
            known = predicted(self.fit(everything), matrix)
        else:
            fitted, kept_out = self.fit(~self.calibration), self.calibration
            seen = predicted(fitted, self.export.matrix[self.rows[kept_out]])
            added = corrections(how, seen, self.outcome[kept_out])
            last = self.fit(everything) if self.settings["refit"] else fitted
            known = np.sort(predicted(last, matrix) + added, axis=1)
        known = np.maximum(known, 0)
        return self.offset.hours(self.predict, known) if self.offset else known


def forecast(export, origin, peer, cache):
    """The peer's quantiles for the rows of an origin, kept as a file; whether they were there."""
    work = Work(export, origin, PEERS[peer])
    path = cache / f"{peer}-{origin}-{work.digest()}.npy"
    if path.exists():
        return np.load(path), True
    quantiles = work.quantiles()
    unfinished = path.with_suffix(f".{os.getpid()}.unfinished")
    with open(unfinished, "wb") as file:
        np.save(file, quantiles)
    os.replace(unfinished, path)
    return quantiles, False
