"""The scorer's numbers against those of model.onnx in ONNX Runtime, in the standard's own reference, and
of its folder in MLflow.

usage: onnx_parity.py <exported folder> <rows with expected outputs>

The rows have a column for each feature, and for each output `expected_<name>` (f64, before rounding)
and `published_<name>` (f32). Exits with 1 if anything differs by more than 1e-12 relatively.
"""
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pandas as pd

TOLERANCE = 1e-12
ALONE = 200
KINDS = {"probability_over": "P(over 2 days)", "hours": "hours", "probability_by": "P(by day)"}


def relative_difference(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    assert found.shape == expected.shape, (found.shape, expected.shape)
    size = np.maximum(np.abs(expected), np.finfo(np.float64).tiny)
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.where(found == expected, 0.0, np.abs(found - expected) / size)
    both_nan = np.isnan(found) & np.isnan(expected)
    # Not-a-number on one side only is no agreement.
    return np.where(both_nan, 0.0, np.where(np.isnan(difference), np.inf, difference))


class Expected:
    """What the scorer gave for the rows."""

    def __init__(self, path: Path):
        self.rows = pd.read_csv(path)
        prefix = "expected_"
        self.names = [c.removeprefix(prefix) for c in self.rows.columns if c.startswith(prefix)]
        self.features = list(self.rows.columns[: -2 * len(self.names)])
        self.f64 = self.rows[["expected_" + name for name in self.names]].to_numpy(np.float64)
        self.f32 = self.rows[["published_" + name for name in self.names]].to_numpy(np.float32)

    def agrees(self, reader: str, found: np.ndarray, seconds: float) -> bool:
        difference = relative_difference(found, self.f64[: len(found)])
        with np.errstate(over="ignore"):
            unequal = int((found.astype(np.float32) != self.f32[: len(found)]).sum())
        parts = []
        for start, kind in KINDS.items():
            of_kind = [name.startswith(start) for name in self.names]
            parts.append(f"{kind} {difference[:, of_kind].max():.1e}")
        print(
            f"{reader}: {len(found)} rows, largest relative difference {difference.max():.1e} "
            f"({', '.join(parts)}), {unequal} of {found.size} differ in f32, {seconds:.2f} s",
            flush=True,
        )
        return bool(difference.max() <= TOLERANCE)


def with_onnxruntime(folder: Path, expected: Expected) -> bool:
    reader = f"onnxruntime {onnxruntime.__version__}"
    model = onnx.load(folder / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    assert [output.name for output in session.get_outputs()] == expected.names
    values = expected.rows[expected.features].to_numpy(np.float64)

    def run(rows: np.ndarray) -> np.ndarray:
        return np.hstack(session.run(None, {"features": rows}))

    begun = time.perf_counter()
    found = run(values)
    agrees = expected.agrees(reader, found, time.perf_counter() - begun)
    # For few rows a runtime may divide the work otherwise.
    begun = time.perf_counter()
    found = np.vstack([run(row[np.newaxis]) for row in values[:ALONE]])
    seconds = time.perf_counter() - begun
    return expected.agrees(f"{reader}, row by row", found, seconds) and agrees


def with_reference(folder: Path, expected: Expected) -> bool:
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(onnx.load(folder / "model.onnx"))
    # It is slow.
    values = expected.rows[expected.features].to_numpy(np.float64)[:ALONE]
    begun = time.perf_counter()
    with np.errstate(all="ignore"):
        found = np.hstack(evaluator.run(None, {"features": values}))
    seconds = time.perf_counter() - begun
    return expected.agrees(f"onnx {onnx.__version__} reference", found, seconds)


def with_mlflow(folder: Path, expected: Expected) -> bool:
    import mlflow
    from mlflow.models import Model
    from mlflow.models.utils import load_serving_example, _read_example

    model = mlflow.pyfunc.load_model(str(folder))
    example = _read_example(Model.load(str(folder)), str(folder))
    assert list(example.columns) == expected.features and len(model.predict(example)) == 1
    # Columns are found by name, in whatever order they are.
    table = expected.rows[expected.features].astype(np.float64)
    turned = table[table.columns[::-1]]
    begun = time.perf_counter()
    found = model.predict(turned)
    seconds = time.perf_counter() - begun
    assert list(found.columns) == expected.names == model.metadata.get_output_schema().input_names()
    try:
        model.predict(table.drop(columns=expected.features[0]))
    except mlflow.exceptions.MlflowException as error:
        assert expected.features[0] in str(error), error
    else:
        raise AssertionError("a table without a feature was scored")
    return expected.agrees(f"mlflow {mlflow.__version__}", found.to_numpy(), seconds)


def main() -> None:
    folder, path = Path(sys.argv[1]), Path(sys.argv[2])
    expected = Expected(path)
    readers = [with_onnxruntime, with_reference, with_mlflow]
    agrees = [reader(folder, expected) for reader in readers]
    sys.exit(0 if all(agrees) else 1)


if __name__ == "__main__":
    main()
