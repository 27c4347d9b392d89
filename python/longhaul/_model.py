"""The model: loading it, and what it says of rows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from longhaul import _native
from longhaul._tables import IDS, AnyTable, like, only


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature of a model."""

    #: The name of its column.
    name: str
    #: "numeric" or "categorical".
    kind: str
    #: The levels of a category, in the order of their codes; None of a number. Others count as missing.
    levels: tuple[str, ...] | None
    #: What it is, if the bundle says so.
    meaning: str | None
    #: The unit of its numbers, if it has one.
    unit: str | None


class Model:
    """A published model. It is never changed: threads may use it at once, and score at once."""

    __slots__ = ("_features", "_folder", "_in_flight", "_native")

    def __init__(self, folder: str | os.PathLike[str], in_flight: bool = False) -> None:
        """Loads the bundle in a folder, as `longhaul.load` does."""
        self._folder: str = os.path.abspath(os.fspath(folder))
        self._in_flight: bool = in_flight
        self._native: _native.Model = _native.Model(self._folder, in_flight)
        self._features: tuple[Feature, ...] = tuple(
            Feature(name, kind, None if levels is None else tuple(levels), meaning, unit)
            for name, kind, levels, meaning, unit in self._native.features()
        )

    @property
    def model_id(self) -> str:
        """The model's id, by which `longhaul models` knows it."""
        return self._native.model_id

    @property
    def features(self) -> tuple[Feature, ...]:
        """The features, in the order of the model."""
        return self._features

    def predict(self, table: AnyTable) -> AnyTable:
        """The forecasts of a table's rows, in their order, as a table of the same kind.

        The table has a column for each feature, whatever their order; null or NaN is a missing value, and
        so is a text that is not one of the feature's levels. Other columns are ignored, but for
        shipment_id and order_id, which the result has as well. A pandas index is kept.

        The columns of the result are those of `longhaul predict`: model_id, probability_over_2d (the
        probability that delivery takes more than two days), hours_p05 to hours_p95 (quantiles, in hours
        from the order), and probability_by_day (a list: within one day, two days, and so on).

        The interpreter's lock is not taken while it works, on RAYON_NUM_THREADS threads, or one for each
        core.

        Raises DataError if columns are missing, all of which it names, or have another type; TypeError
        if it is no table.
        """
        names = [*IDS, *(feature.name for feature in self._features)]
        return like(table, self._native.predict(only(table, names)))

    def predict_row(self, row: Mapping[str, object]) -> _native.Forecast:
        """The forecast of one row, with a key for each feature; None or NaN is a missing value.

        Other keys are ignored. Raises DataError if keys are missing, all of which it names, or values
        have another type.
        """
        return self._native.predict_row(row if isinstance(row, dict) else dict(row))

    def __repr__(self) -> str:
        return f"<longhaul.Model {self.model_id}: {len(self._features)} features>"

    def __reduce__(self) -> tuple[type[Model], tuple[str, bool]]:
        # Another process loads it from the same folder.
        return (Model, (self._folder, self._in_flight))


def load(folder: str | os.PathLike[str], in_flight: bool = False) -> Model:
    """Loads the model in a folder that holds a published bundle, held to its manifest.

    With in_flight it is the bundle's model of open shipments, whose hours are those that are left after
    the moment at which a row was known.

    Raises BundleError if a file is missing, altered, or of another version, or the bundle has no such
    model.
    """
    return Model(folder, in_flight)
