"""Programs of others that read an exported model. Each is a function that takes the folder and the
vectors and gives what it compared; it is listed in READERS at the end. A reader whose file is not in
the folder raises NotRun."""

import json
import os
import subprocess
from dataclasses import dataclass, field

import numpy as np

from vectors import relative_difference, ulps

# LightGBM reads numbers nearer to 0 than this as 0 (kZeroThreshold of its include/LightGBM/meta.h).
LIGHTGBM_ZERO = 1e-35

# Of a distribution that is computed in f64 with the exponentials and logarithms of another library.
RELATIVE_TOLERANCE = 1e-12


# Of explanations, as a share of all that moves a raw score (at least of 1).
SHAP_TOLERANCE = 1e-6


class NotRun(Exception):
    """A reader cannot run, and why."""


@dataclass
class Found:
    """What a reader made of the rows."""

    rows: int = 0
    # Largest difference in units in the last place, where bits are compared.
    ulps: float = 0
    notes: list = field(default_factory=list)
    problems: list = field(default_factory=list)

    def leaves(self, where, found, expected):
        wrong = np.any(found != expected, axis=1).sum() if found.shape == expected.shape else "all"
        if wrong:
            self.problems.append(f"{where}: other leaves in {wrong} rows")

    def bits(self, where, found, expected):
        difference = ulps(found, expected)
        self.ulps = max(self.ulps, difference)
        if difference:
            self.problems.append(f"{where}: up to {difference} ulp")

    def relative(self, where, found, expected):
        self.ulps = max(self.ulps, ulps(found, expected))
        self.close(where, relative_difference(found, expected))

    def shares(self, where, found, expected):
        """Of shares of 1 that were computed as 1 minus the rest, so that the smallest difference there
        is, is that of numbers near 1."""
        units = np.abs(found - expected).max(initial=0.0) / np.finfo(np.float64).epsneg
        self.ulps = max(self.ulps, float("inf") if np.isnan(units) else int(np.ceil(units)))
        self.close(where, units * np.finfo(np.float64).epsneg)

    def close(self, where, difference):
        self.notes.append(f"{where} {difference:.0e}")
        if not difference <= RELATIVE_TOLERANCE:
            self.problems.append(f"{where}: relative difference {difference:.2e}")


def model_files(folder, ensemble):
    """The files of an ensemble, one for each output, in rising order of their levels."""
    if ensemble == "gate":
        paths = [folder / ensemble / "model.txt"]
    else:
        paths = sorted(folder.glob(f"{ensemble}/q*/model.txt"))
    if not paths or not paths[0].exists():
        raise NotRun(f"no model.txt of {ensemble}")
    return paths


def scorer(folder, vectors):
    """Ours: bits of leaves, raw scores, hours and probabilities, and explanations to 1e-9."""
    program = os.environ.get("SCORER")
    if not program:
        raise NotRun("SCORER names no program")
    run = subprocess.run([program, str(folder)], capture_output=True, text=True)
    if run.returncode:
        return Found(problems=[run.stderr.strip()])
    verified = json.loads(run.stdout)
    numbers, seconds = verified["numbers"], verified["seconds"]
    return Found(rows=verified["rows"], notes=[f"{numbers} numbers, {seconds:.2f} s of its own"])


def read_by_lightgbm(vectors):
    """Positions of the rows without numbers that LightGBM takes for 0."""
    is_read_as_zero = (vectors.rows != 0) & (np.abs(vectors.rows) <= LIGHTGBM_ZERO)
    return np.flatnonzero(~is_read_as_zero.any(axis=1))


def lightgbm(folder, vectors):
    import lightgbm

    is_compared = read_by_lightgbm(vectors)
    found = Found(rows=len(is_compared))
    if found.rows < len(vectors):
        left_out = len(vectors) - found.rows
        found.notes.append(f"{left_out} rows left out: it reads numbers up to {LIGHTGBM_ZERO} as 0")
    rows = vectors.rows[is_compared]
    for ensemble in vectors.ensembles:
        leaves = vectors.leaves(ensemble)[is_compared]
        raw = vectors.raw(ensemble)[is_compared]
        for output, path in enumerate(model_files(folder, ensemble)):
            where = str(path.parent.relative_to(folder))
            booster = lightgbm.Booster(model_file=str(path))
            by_tree = booster.predict(rows, pred_leaf=True).reshape(len(rows), -1)
            found.leaves(where, by_tree, leaves)
            found.bits(where, booster.predict(rows, raw_score=True), raw[:, output])
    return found


def treelite(folder, vectors):
    import treelite

    found = Found(rows=len(vectors))
    for ensemble in vectors.ensembles:
        leaves, raw = vectors.leaves(ensemble), vectors.raw(ensemble)
        for output, path in enumerate(model_files(folder, ensemble)):
            where = str(path.parent.relative_to(folder))
            model = treelite.frontend.load_lightgbm_model(path)
            predicted = treelite.gtil.predict(model, vectors.rows, pred_margin=True)
            # It numbers the nodes of a tree in an order of its own; of each of its leaves there
            # must be one of ours, and of each of ours one of its.
            nodes = np.asarray(treelite.gtil.predict_leaf(model, vectors.rows)).astype(np.int64)
            nodes = nodes.reshape(leaves.shape)
            for tree in range(leaves.shape[1]):
                pairs = np.unique(np.column_stack([nodes[:, tree], leaves[:, tree]]), axis=0)
                if any(len(np.unique(side)) != len(pairs) for side in pairs.T):
                    found.problems.append(f"{where}: other leaves in tree {tree}")
            found.bits(where, predicted.reshape(-1), raw[:, output])
    return found


def shap(folder, vectors):
    """Values are ours, and with the expected value add up to the raw score."""
    import lightgbm
    import shap

    explained = vectors.explained()
    is_read = np.isin(explained, read_by_lightgbm(vectors))
    rows = explained[is_read]
    found = Found(rows=len(rows), ulps=float("nan"))
    for ensemble in vectors.ensembles:
        ours, raw = vectors.shap(ensemble)[is_read], vectors.raw(ensemble)[rows]
        largest = 0.0
        for output, path in enumerate(model_files(folder, ensemble)):
            where = str(path.parent.relative_to(folder))
            explainer = shap.TreeExplainer(lightgbm.Booster(model_file=str(path)))
            values = np.asarray(explainer.shap_values(vectors.rows[rows]))
            if values.shape != (len(rows), len(vectors.names)) or not np.isfinite(values).all():
                found.problems.append(f"{where}: not finite")
                continue
            scale = max(1.0, np.abs(values).sum(axis=1).max())
            sums = values.sum(axis=1) + explainer.expected_value
            # Ours add up as well, so expected values are compared here.
            differences = [np.abs(values - ours[:, :, output]), np.abs(sums - raw[:, output])]
            difference = max(array.max(initial=0.0) for array in differences) / scale
            largest = max(largest, difference)
            if not difference <= SHAP_TOLERANCE:
                found.problems.append(f"{where}: differs by {difference:.2e}")
        found.notes.append(f"{ensemble} {largest:.0e}")
    return found


def distribution(vectors, names, outputs):
    """Compares the outputs of the whole model: of each row its numbers, in the order of their names."""
    found = Found(rows=len(vectors))
    for name, compare in [
        ("hours", found.relative),
        ("probability_over_2d", found.relative),
        ("probability_by_day", found.shares),
    ]:
        columns = [at for at, output in enumerate(names) if output.startswith(name)]
        expected = vectors.column(f"parity:{name}").reshape(len(vectors), -1)
        if len(columns) != expected.shape[1]:
            found.problems.append(f"{len(columns)} outputs of {name}, not {expected.shape[1]}")
        else:
            compare(name, np.asarray(outputs)[:, columns], expected)
    return found


def onnxruntime(folder, vectors):
    import onnxruntime

    path = folder / "model.onnx"
    if not path.exists():
        raise NotRun("no model.onnx")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    outputs = session.run(names, {session.get_inputs()[0].name: vectors.rows})
    return distribution(vectors, names, np.column_stack(outputs))


def mlflow(folder, vectors):
    if not (folder / "MLmodel").exists():
        raise NotRun("no MLmodel")
    import mlflow
    import pandas

    table = pandas.DataFrame(vectors.rows, columns=vectors.names)
    # By name, in whatever order they are.
    predicted = mlflow.pyfunc.load_model(str(folder)).predict(table[table.columns[::-1]])
    return distribution(vectors, list(predicted.columns), predicted.to_numpy())


READERS = {
    "scorer": scorer,
    "lightgbm": lightgbm,
    "treelite": treelite,
    "shap": shap,
    "onnxruntime": onnxruntime,
    "mlflow.pyfunc": mlflow,
}
