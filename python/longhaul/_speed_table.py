"""The speed table of lanes."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from longhaul import _native
from longhaul._tables import IDS, AnyTable, like, only

_COLUMNS = (
    "origin_zone",
    "origin_region",
    "destination_zone",
    "destination_region",
    "carrier",
    "service",
    "weight_g",
)


class SpeedTable:
    """How fast lanes deliver, looked up without a model. It is never changed: threads may use it at once.

    A file that is open must stay as it is: replace it by renaming another to its name, and open that.
    """

    __slots__ = ("_native", "_path")

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Opens a file and maps it into memory. Its digest is not compared, which would read all of it.

        Raises SpeedTableError if it is missing, cut off, or of another version.
        """
        self._path: str = os.path.abspath(os.fspath(path))
        self._native: _native.SpeedTable = _native.SpeedTable(self._path)

    @property
    def model_id(self) -> str:
        """The id of the model that made it."""
        return self._native.model_id

    @property
    def as_of(self) -> datetime:
        """The moment whose knowledge it is of."""
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=self._native.as_of_micros)

    def __len__(self) -> int:
        """How many rows it has."""
        return len(self._native)

    def verify(self) -> None:
        """Reads the whole file and compares it with its digest. Raises SpeedTableError if it differs."""
        self._native.verify()

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
    ) -> _native.LaneSpeed:
        """How fast a lane delivers: by the finest row that there is for it, else that of all shipments.

        None is a value that is not known, or not recorded by the shop; it matches only rows whose value is
        not known either.
        """
        return self._native.lookup(
            origin_zone=origin_zone,
            origin_region=origin_region,
            destination_zone=destination_zone,
            destination_region=destination_region,
            carrier=carrier,
            service=service,
            weight_g=weight_g,
        )

    def lookup_frame(self, table: AnyTable) -> AnyTable:
        """How fast the lanes of a table's rows deliver, in their order, as a table of the same kind.

        The table has columns of the names that `lookup` takes; those that it lacks are not known, and so is
        null. Other columns are ignored, but for shipment_id and order_id, which the result has as well. A
        pandas index is kept.

        The columns of the result are grouping, n_shipments, and those of `longhaul predict`: model_id,
        probability_over_2d, hours_p05 to hours_p95 and probability_by_day.

        Raises DataError if none of the columns is there, or one has another type; TypeError if it is no
        table.
        """
        return like(table, self._native.lookup_frame(only(table, [*IDS, *_COLUMNS])))

    def __repr__(self) -> str:
        return f"<longhaul.SpeedTable of {self.model_id}, as of {self.as_of}: {len(self)} rows>"

    def __reduce__(self) -> tuple[type[SpeedTable], tuple[str]]:
        # Another process opens the same file.
        return (SpeedTable, (self._path,))
