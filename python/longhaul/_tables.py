"""Tables of pandas, Polars and pyarrow, and of others that speak Arrow's C interface.

None of the libraries is imported here unless the caller has: who has a table of one has it imported.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from longhaul._errors import DataError

if TYPE_CHECKING:
    from longhaul._native import Table


#: Columns that results have as well.
IDS = ("shipment_id", "order_id")


class ArrowTable(Protocol):
    """A table that can be handed over as a stream of Arrow's C interface."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> object:
        """A capsule of the table's batches."""


AnyTable = TypeVar("AnyTable", bound=ArrowTable)


def _library_of(table: object, kind: str, *names: str) -> Any:
    """The module `kind`, if the table is of one of its classes."""
    module = sys.modules.get(kind)
    classes = tuple(found for name in names if (found := getattr(module, name, None)) is not None)
    return module if classes and isinstance(table, classes) else None


def only(table: ArrowTable, names: Sequence[str]) -> ArrowTable:
    """The table with those of the columns that it has, so that others need not cross the border."""
    if _library_of(table, "pandas", "DataFrame"):
        return _arrow_of_pandas(table, names)
    if _library_of(table, "polars", "LazyFrame"):
        raise TypeError("expected a table, found a polars.LazyFrame: collect() it first")
    if _library_of(table, "polars", "DataFrame"):
        frame = cast(Any, table)
        return cast(ArrowTable, frame.select([name for name in names if name in frame.columns]))
    return table


def _arrow_of_pandas(table: ArrowTable, names: Sequence[str]) -> ArrowTable:
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError("tables of pandas need pyarrow: pip install pyarrow") from error
    frame = cast(Any, table)
    columns: dict[str, Any] = {}
    for name in names:
        if name not in frame.columns:
            continue
        column = frame[name]
        if column.ndim != 1:
            raise DataError(f"expected one column for each feature, found more than one: {name}")
        try:
            columns[name] = pyarrow.array(column, from_pandas=True)
        except pyarrow.ArrowException as error:
            raise DataError(
                f'column "{name}": expected values of one type, found {column.dtype}: {error}'
            ) from error
    return cast(ArrowTable, pyarrow.table(columns))


def like(table: AnyTable, result: Table) -> AnyTable:
    """The result as the kind of table that `table` is; of an unknown kind as it is."""
    made: Any = result
    if _library_of(table, "pandas", "DataFrame"):
        import pyarrow

        made = pyarrow.table(result).to_pandas()
        made.index = cast(Any, table).index
    elif polars := _library_of(table, "polars", "DataFrame"):
        made = polars.DataFrame(result)
    elif pyarrow := _library_of(table, "pyarrow", "Table"):
        made = pyarrow.table(result)
    elif pyarrow := _library_of(table, "pyarrow", "RecordBatch"):
        made = pyarrow.record_batch(result)
    elif pyarrow := _library_of(table, "pyarrow", "RecordBatchReader"):
        made = pyarrow.RecordBatchReader.from_stream(result)
    return cast(AnyTable, made)
