"""What each feature of a row adds to a prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from longhaul._errors import DataError
from longhaul._model import Model
from longhaul._tables import ArrowTable, only

if TYPE_CHECKING:
    Doubles = memoryview[float]
else:
    # Before Python 3.14 it takes no parameter.
    Doubles = memoryview


@dataclass(frozen=True, slots=True, repr=False)
class Explanation:
    """Exact Shapley values of the raw scores of one ensemble of trees: those of TreeSHAP with paths.

    For each row and output, `expected` and the values of all features add up to the raw score.
    """

    #: "gate", whose one output is the log-odds of more than two days, or "regressor_0" and so on, whose
    #: outputs are the quantiles at their levels, on the regressor's time scale and before corrections.
    part: str
    #: The raw scores of a row of which nothing is known, one for each output.
    expected: tuple[float, ...]
    #: The names of the features.
    features: tuple[str, ...]
    #: Doubles, rows x features x outputs; `numpy.asarray` makes an array of it without a copy.
    values: Doubles

    def __repr__(self) -> str:
        rows, features, outputs = self.values.shape or (0, 0, 0)
        return f"<longhaul.Explanation of {self.part}: {rows} rows, {features} features, {outputs} outputs>"


def explain(model: Model, table: ArrowTable) -> dict[str, Explanation]:
    """What each feature of each row adds to the raw scores, by the ensemble: gate and regressors.

    The table is one that `model.predict` takes, with one row or more. All leaves of all trees are
    visited for each row, so this takes far longer than a prediction.
    """
    names = tuple(feature.name for feature in model.features)
    explained = model._native.explain(only(table, names))
    explanations = {}
    for part, expected, values in explained:
        n_each = len(names) * len(expected)
        if not values:
            raise DataError("expected a table of one row or more, found none")
        shape = [len(values) // (8 * n_each), len(names), len(expected)]
        shaped = memoryview(values).cast("B").cast("d", shape)
        explanations[part] = Explanation(part, tuple(expected), names, shaped)
    return explanations
