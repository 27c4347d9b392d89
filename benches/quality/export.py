"""What `longhaul backtest … --export` wrote, as numpy arrays.

A row number is a position in the matrix. Rows are shipments in the order of their order times or, with
`--in-flight`, snapshots in the order of their own.
"""

import json
import pathlib

import numpy as np
import polars as pl

LEVELS = np.array([0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.95])
HOURS = [f"hours_p{round(100 * level):02d}" for level in LEVELS]
MICROSECONDS_A_DAY = 86_400_000_000
# What turns hours into working hours relative to the level, and back. The bits of the holidays are no
# feature of a peer; the other two are.
LEVEL, ORDERED, HOLIDAYS = "level_hours", "ordered_week_hours", "holidays_ahead"


def microseconds(column):
    return column.dt.timestamp("us").to_numpy()


class Export:
    """The matrix, what was known at each origin, our forecasts and the baselines."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.folder = folder
        frame = pl.read_parquet(folder / "matrix.parquet")
        declared = json.loads((folder / "features.json").read_text())
        kinds = {feature["name"]: feature["kind"] for feature in declared}
        self.offset = {
            name: frame[name].to_numpy() for name in (LEVEL, ORDERED, HOLIDAYS) if name in frame.columns
        }
        self.names = [name for name in frame.columns if name in kinds and name != HOLIDAYS]
        self.levels = {
            name: kind["categorical"]["levels"] for name, kind in kinds.items() if kind != "numeric"
        }
        self.categorical = [i for i, name in enumerate(self.names) if name in self.levels]
        self.matrix = np.ascontiguousarray(frame.select(self.names).to_numpy(), dtype=np.float32)
        scales = folder / "time_scales.json"
        scales = json.loads(scales.read_text()) if scales.exists() else []
        self.time_scales = {scale["origin"][:10]: scale["time_scale"] for scale in scales}

        labels = pl.read_parquet(folder / "labels.parquet")
        self.roles = {role: {} for role in ("delivered", "open", "predict")}
        for (origin, role), known in labels.group_by("origin", "role", maintain_order=True):
            rows = known["row"].to_numpy(), known["hours"].to_numpy()
            self.roles[role][f"{origin:%Y-%m-%d}"] = rows
        self.origins = sorted(self.roles["predict"])
        self.labels = labels
        # Of a snapshot the moment is its own, and not that of the order.
        self.moment = "snapshot_at" if "snapshot_at" in labels.columns else "ordered_at"

    def read_forecasts(self):
        """Our forecasts and the baselines: what the judge needs and training does not."""
        ours = pl.read_parquet(self.folder / "predictions.parquet")
        predicted = self.labels.filter(pl.col("role") == "predict")
        if not (predicted["origin"] == ours["origin"]).all():
            raise ValueError(f"{self.folder}: labels.parquet and predictions.parquet are of other rows")
        self.rows = predicted["row"].to_numpy()
        self.origin = ours["origin"].dt.strftime("%Y-%m-%d").to_numpy()
        self.ordered_at = microseconds(ours["ordered_at"])
        self.actual = ours["actual_hours"].cast(pl.Float64).to_numpy()
        weight = ours["weight"].cast(pl.Float64).fill_null(0.0).to_numpy()
        self.weight = np.where(np.isnan(self.actual), 0.0, weight)
        self.forecasts = {"longhaul": forecast_of(ours)}
        self.shipment_ids = ours["shipment_id"].to_list()
        self.segments = {
            name: ours[name].to_numpy() for name in ("age", "milestone") if name in ours.columns
        }
        path = self.folder / "baselines.parquet"
        if not path.exists():
            return
        order = {key: i for i, key in enumerate(zip(self.origin, self.rows.tolist()))}
        for (name,), rows in pl.read_parquet(path).group_by("forecast", maintain_order=True):
            keys = zip(rows["origin"].dt.strftime("%Y-%m-%d"), rows["row"])
            place = np.array([order.get(key, -1) for key in keys])
            if sorted(place[place >= 0]) != list(range(len(order))):
                raise ValueError(f"{path}: {name} has not each predicted row once")
            forecast = forecast_of(rows)
            inverse = np.empty(len(order), dtype=int)
            inverse[place[place >= 0]] = np.flatnonzero(place >= 0)
            self.forecasts[name] = {key: values[inverse] for key, values in forecast.items()}

    def forecast_before(self, folder):
        """The forecasts of another backtest for the same shipments at the same origins; NaN where it
        has none.
        """
        frame = pl.read_parquet(pathlib.Path(folder) / "predictions.parquet")
        days = frame["origin"].dt.strftime("%Y-%m-%d")
        place = {key: i for i, key in enumerate(zip(days, frame["shipment_id"]))}
        rows = np.array([place.get(key, -1) for key in zip(self.origin, self.shipment_ids)])
        hours = forecast_of(frame)["hours"][rows]
        hours[rows < 0] = np.nan
        return {"hours": hours}

    def days_before(self, origin):
        """How many days before the origin each row was ordered or, of a snapshot, taken; below 0
        afterwards, NaN for a row without a label at any origin.
        """
        moments = np.full(len(self.matrix), np.nan)
        moments[self.labels["row"].to_numpy()] = microseconds(self.labels[self.moment])
        start = np.datetime64(origin, "us").astype(np.int64)
        return (start - moments) / MICROSECONDS_A_DAY


def forecast_of(frame):
    """Quantiles in hours, and P(by day 1, 2, …) if the frame has them."""
    forecast = {"hours": frame.select(HOURS).to_numpy().astype(float)}
    forecast["over_two_days"] = frame["probability_over_2d"].cast(pl.Float64).to_numpy()
    if "probability_by_day" in frame.columns and not frame["probability_by_day"].null_count():
        by_day = frame["probability_by_day"].explode().to_numpy().astype(float)
        forecast["by_day"] = by_day.reshape(len(frame), -1)
    return forecast
