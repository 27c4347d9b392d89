"""Forecasts of delivery time by a published model of longhaul, in the caller's process.

    import longhaul

    model = longhaul.load("bundle")           # the folder of a published model
    forecasts = model.predict(rows)           # pandas, Polars or pyarrow in; the same kind of table out
    forecast = model.predict_row({"distance_km": 850.0, ...})
    forecast.hours[0.5], forecast.probability_by_day[5]
    longhaul.explain(model, rows)["gate"]     # what each feature of each row adds

    table = longhaul.SpeedTable("speed.bin")  # how fast lanes deliver, without a model
    table.lookup(destination_zone="22041").probability_within(72)

What goes wrong is `longhaul.BundleError` (a model that cannot be loaded), `longhaul.SpeedTableError` (a
speed table that cannot be opened) or `longhaul.DataError` (rows that cannot be scored or looked up), all
of them a `longhaul.Error`.
"""

from longhaul._errors import BundleError, DataError, Error, SpeedTableError
from longhaul._explanation import Explanation, explain
from longhaul._model import Feature, Model, load
from longhaul._native import Forecast, LaneSpeed, Table, __version__
from longhaul._speed_table import SpeedTable
from longhaul._tables import ArrowTable

__all__ = [
    "ArrowTable",
    "BundleError",
    "DataError",
    "Error",
    "Explanation",
    "Feature",
    "Forecast",
    "LaneSpeed",
    "Model",
    "SpeedTable",
    "SpeedTableError",
    "Table",
    "__version__",
    "explain",
    "load",
]
