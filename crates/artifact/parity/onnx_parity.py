"""The scorer's numbers against those of model.onnx in ONNX Runtime and of the bundle in MLflow.

usage: onnx_parity.py <exported folder> <rows with expected outputs>
"""
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pandas as pd

# Of what is compared in f64.
TOLERANCE = 1e-12
OUTPUTS = {"probability_over_2d": "over_2d", "hours": "hours_", "probability_by_day": "by_"}


def columns(rows: pd.DataFrame, kind: str, name: str) -> np.ndarray:
    """What was expected of an output, or was published of it."""
    prefix = f"{kind}_{name}"
    if name.endswith("_"):
        return rows[[c for c in rows.columns if c.startswith(prefix)]].to_numpy()
    return rows[prefix].to_numpy()


def relative_difference(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    assert found.shape == expected.shape, (found.shape, expected.shape)
    both_nan = np.isnan(found) & np.isnan(expected)
    size = np.maximum(np.abs(expected), np.finfo(np.float64).tiny)
    difference = np.where(both_nan | (found == expected), 0.0, np.abs(found - expected) / size)
    # Not-a-number on one side only is no agreement.
    return np.where(np.isnan(difference), np.inf, difference)


def compare(reader: str, found: dict, rows: pd.DataFrame, seconds: float) -> bool:
    worst = 0.0
    unequal = total = 0
    for output, name in OUTPUTS.items():
        difference = relative_difference(found[output], columns(rows, "expected", name))
        published = columns(rows, "published", name).astype(np.float32)
        as_published = found[output].astype(np.float32)
        unequal += int((as_published != published).sum())
        total += published.size
        worst = max(worst, float(difference.max()))
        print(f"    {output:22} largest relative difference {difference.max():.1e}")
    print(
        f"{reader}: {len(rows)} rows, largest relative difference {worst:.1e}, "
        f"{unequal} of {total} numbers differ in f32, {seconds:.2f} s"
    )
    return worst <= TOLERANCE


def main() -> None:
    folder, path = Path(sys.argv[1]), Path(sys.argv[2])
    rows = pd.read_csv(path, float_precision="round_trip")
    features = [c for c in rows.columns if not c.startswith(("expected_", "published_"))]
    values = rows[features].to_numpy(np.float64)

    model = onnx.load(folder / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    names = [output.name for output in session.get_outputs()]
    begun = time.perf_counter()
    found = dict(zip(names, session.run(names, {"features": values})))
    agrees = compare(
        f"onnxruntime {onnxruntime.__version__}", found, rows, time.perf_counter() - begun
    )
    # One row at a time gives the same bits: a runtime may add up otherwise for few rows.
    for row in range(min(200, len(rows))):
        alone = session.run(names, {"features": values[row : row + 1]})
        for name, output in zip(names, alone):
            np.testing.assert_array_equal(output[0], found[name][row])
    sys.exit(0 if agrees else 1)


if __name__ == "__main__":
    main()
