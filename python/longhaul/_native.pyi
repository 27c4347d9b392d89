"""The native part: `python/src`."""

from collections.abc import Mapping
from typing import Any, final

from longhaul._tables import ArrowTable

__all__ = ["Forecast", "Model", "Table", "__version__"]

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

    def __new__(cls, folder: str) -> Model: ...
    @property
    def model_id(self) -> str: ...
    def features(
        self,
    ) -> list[tuple[str, str, list[str] | None, str | None, str | None]]: ...
    def predict(self, table: ArrowTable) -> Table: ...
    def predict_row(self, row: Mapping[str, object]) -> Forecast: ...
    def explain(self, table: ArrowTable) -> list[tuple[str, list[float], bytes]]: ...
