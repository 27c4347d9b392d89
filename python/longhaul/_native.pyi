"""The native part: `python/src`."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, final

from longhaul._tables import ArrowTable

__all__ = ["Forecast", "LaneSpeed", "Model", "SpeedTable", "Table", "__version__"]

__version__: str

@final
class Table:
    """A table of predictions, for any library that reads Arrow's C interface."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> object:
        """A capsule of the table as a stream of batches."""

    def __arrow_c_array__(self, requested_schema: Any = None) -> tuple[object, object]:
        """Capsules of the table's schema and of the table as an array of structs."""

    def __len__(self) -> int: ...

@final
class Forecast:
    """The forecast of one row: quantiles and probabilities of its delivery time."""

    @property
    def probability_over_2d(self) -> float:
        """The probability that delivery takes more than two days from the order."""

    @property
    def hours(self) -> dict[float, float]:
        """Quantiles of delivery time by their level, in hours from the order, ascending."""

    @property
    def probability_by_day(self) -> dict[int, float]:
        """The probability of delivery within so many days from the order, by the days."""

@final
class Model:
    """A published model that is loaded."""

    def __new__(cls, folder: str, in_flight: bool) -> Model: ...
    @property
    def model_id(self) -> str: ...
    def features(
        self,
    ) -> list[tuple[str, str, list[str] | None, str | None, str | None]]: ...
    def predict(self, table: ArrowTable) -> Table: ...
    def predict_row(self, row: Mapping[str, object]) -> Forecast: ...
    def explain(self, table: ArrowTable) -> list[tuple[str, list[float], bytes]]: ...

@final
class LaneSpeed:
    """How fast a lane delivers."""

    @property
    def grouping(self) -> str:
        """By which columns the row is grouped, such as "origin_region, destination_region"; "all" of all shipments."""

    @property
    def n_shipments(self) -> int:
        """Of how many shipments the row is."""

    @property
    def probability_over_2d(self) -> float:
        """The probability that delivery takes more than two days from the order."""

    @property
    def hours(self) -> dict[float, float]:
        """Quantiles of delivery time by their level, in hours from the order, ascending."""

    @property
    def probability_by_day(self) -> dict[int, float]:
        """The probability of delivery within so many days from the order, by the days."""

    def probability_within(self, hours: float) -> float:
        """The probability of delivery within so many hours of the order.

        Between the days it lies on straight lines, from 0 at 0 hours on; beyond the last day it is what it
        is there.
        """

    def probability_by(self, by: date, *, ordered_at: datetime) -> float:
        """The probability of delivery by the end of a date, or by a moment, a datetime.

        The date ends at the midnight of the time zone that `ordered_at` has; without one, both are taken as
        they are.
        """

    def arrives_within(self, hours: float, probability: float) -> bool:
        """Whether the probability of delivery within so many hours of the order is at least `probability`."""

    def can_be_delivered_quickly(self, probability: float) -> bool:
        """Whether the probability of delivery within two days of the order is at least `probability`."""

@final
class SpeedTable:
    """A speed table that is open."""

    def __new__(cls, path: str) -> SpeedTable: ...
    @property
    def model_id(self) -> str: ...
    @property
    def as_of_micros(self) -> int: ...
    def __len__(self) -> int: ...
    def verify(self) -> None: ...
    def lookup(
        self,
        *,
        origin_zone: str | None = None,
        origin_region: str | None = None,
        destination_zone: str | None = None,
        destination_region: str | None = None,
        carrier: str | None = None,
        service: str | None = None,
        weight_g: float | None = None,
    ) -> LaneSpeed: ...
    def lookup_frame(self, table: ArrowTable) -> Table: ...
