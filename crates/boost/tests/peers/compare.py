"""Holds our trees against scikit-learn's and LightGBM's on the same small data: `make test-peers`.

An error that the trainer and its naive twin share is invisible to the tests in Rust; here it is not.
All three get the same rows, bins, leaves, rounds, learning rate, least rows in a leaf and l2. What
differs by design, and by how much predictions may therefore differ:

- Borders between bins, where a column has more than 255 values, and ties between splits: small in
  the loss, not in single predictions. The peers differ from each other for the same reasons. So
  losses on new rows must be within LOSS_BOUND of each peer's (found: within 0.006), and predictions
  may be at most DISTANCE_BOUND times as far from a peer's, in mean absolute difference, as the peers
  are from each other (found: 1.01 times).
- Gradients in fixed point, quantiles of residuals to an eighth of a step, half an event in the base
  of log-odds: far below that.

Where every value of a column has a bin and the best splits are unique, one tree of squared error has
no such freedom, and predictions are equal up to the rounding of f32.

The program that trains ours is named by the environment:
OURS=target/debug/examples/peer_predictions.
"""

import os
import pathlib
import subprocess
import tempfile
import unittest

# Threads that wait for others do not spin, which slows everything down on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import lightgbm
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

OURS = os.environ["OURS"]
N_TRAIN, N_TEST = 6_000, 6_000
LOSS_BOUND, DISTANCE_BOUND = 0.015, 1.25
SETTINGS = {"rounds": 60, "leaves": 15, "learning_rate": 0.1, "rows_in_leaf": 20, "l2": 1.0}


def ours(train, outcome, test, loss, settings):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        rows = np.column_stack([train, outcome.astype(np.float32)])
        write(folder / "train.csv", rows)
        write(folder / "test.csv", test)
        command = [OURS, folder / "train.csv", folder / "test.csv", loss, *settings.values()]
        said = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if said.returncode:
        raise AssertionError(said.stderr)
    return np.array(said.stdout.split(), float)


def write(path, rows):
    """The shortest decimals that give back the same f32; nothing where a value is missing."""
    fields = [["" if np.isnan(x) else str(x) for x in row] for row in rows.astype(np.float32)]
    path.write_text("\n".join(",".join(row) for row in fields) + "\n")


def scikit_learn(train, outcome, test, loss, settings):
    settings = {
        "max_iter": settings["rounds"],
        "max_leaf_nodes": settings["leaves"],
        "learning_rate": settings["learning_rate"],
        "min_samples_leaf": settings["rows_in_leaf"],
        "l2_regularization": settings["l2"],
        "max_bins": 255,
        "early_stopping": False,
    }
    if loss == "log_odds":
        model = HistGradientBoostingClassifier(**settings).fit(train, outcome)
        return model.decision_function(test)
    if loss == "squared":
        model = HistGradientBoostingRegressor(**settings)
    else:
        model = HistGradientBoostingRegressor("quantile", quantile=level(loss), **settings)
    return model.fit(train, outcome).predict(test)


def light_gbm(train, outcome, test, loss, settings):
    objective = {"squared": {"objective": "regression"}, "log_odds": {"objective": "binary"}}
    objective = objective.get(loss) or {"objective": "quantile", "alpha": level(loss)}
    parameters = {
        "num_leaves": settings["leaves"],
        "learning_rate": settings["learning_rate"],
        "min_data_in_leaf": settings["rows_in_leaf"],
        "lambda_l2": settings["l2"],
        "min_sum_hessian_in_leaf": 0.0,
        "max_bin": 255,
        "min_data_in_bin": 1,
        "enable_bundle": False,
        "boost_from_average": True,
        "verbosity": -1,
        "num_threads": 2,
        "seed": 1,
    }
    data = lightgbm.Dataset(train, outcome)
    model = lightgbm.train(parameters | objective, data, num_boost_round=settings["rounds"])
    return model.predict(test, raw_score=True)


PEERS = {"scikit-learn": scikit_learn, "LightGBM": light_gbm}


def level(loss):
    return float(loss.removeprefix("quantile:"))


def mean_loss(loss, predicted, outcome):
    if loss == "squared":
        return np.mean((predicted - outcome) ** 2)
    if loss == "log_odds":
        return np.mean(np.logaddexp(0.0, np.where(outcome > 0.5, -predicted, predicted)))
    miss = outcome - predicted
    return np.mean(np.maximum(level(loss) * miss, (level(loss) - 1.0) * miss))


def distance(one, other):
    return np.mean(np.abs(one - other))


def simulated(n_rows, seed):
    """Eight columns, of which one has missing values that matter, and an outcome with skewed noise
    whose spread depends on a column."""
    random = np.random.default_rng(seed)
    columns = random.uniform(0.0, 1.0, (n_rows, 8))
    columns[:, 3] = np.floor(columns[:, 3] * 12)
    signal = 3 * columns[:, 0] + 2 * columns[:, 1] * columns[:, 2] + np.sin(6 * columns[:, 4])
    signal += 0.2 * columns[:, 3]
    missing = random.uniform(size=n_rows) < 0.2
    signal[missing] += 1.5
    columns[missing, 0] = np.nan
    noise = random.exponential(size=n_rows) * (0.3 + columns[:, 5])
    return columns.astype(np.float32), (signal + noise).astype(np.float32)


class Compare(unittest.TestCase):
    def test_one_tree_of_an_easy_target_predicts_the_same(self):
        random = np.random.default_rng(1)
        # At most 80 values a column, and effects of different size: no ties, no shared bins.
        train = random.integers(0, 80, (3_000, 4)).astype(np.float32)
        effects = 8.0 * (train[:, 0] > 30) + 4.0 * (train[:, 1] > 55) + 2.0 * (train[:, 2] > 20)
        outcome = (effects * (1 + 0.3 * (train[:, 0] > 60))).astype(np.float32)
        test = random.integers(0, 80, (1_000, 4)).astype(np.float32)
        settings = SETTINGS | {"rounds": 1, "leaves": 12, "learning_rate": 1.0, "l2": 0.0}
        found = ours(train, outcome, test, "squared", settings)
        self.assertEqual(len(np.unique(found)), 12)
        for name, peer in PEERS.items():
            with self.subTest(peer=name):
                expected = peer(train, outcome, test, "squared", settings)
                np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)

    def test_one_tree_with_regularisation_and_shrinkage_predicts_the_same(self):
        random = np.random.default_rng(2)
        train = random.integers(0, 50, (2_000, 3)).astype(np.float32)
        outcome = (np.sqrt(train[:, 0]) + (train[:, 1] > 9) + 0.1 * train[:, 2]).astype(np.float32)
        settings = SETTINGS | {"rounds": 1, "leaves": 8, "learning_rate": 0.3, "l2": 50.0}
        found = ours(train, outcome, train, "squared", settings)
        for name, peer in PEERS.items():
            with self.subTest(peer=name):
                expected = peer(train, outcome, train, "squared", settings)
                np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)

    def test_squared_error_is_that_of_the_peers(self):
        self.compare("squared")

    def test_pinball_loss_is_that_of_the_peers(self):
        self.compare("quantile:0.9")

    def test_logistic_loss_is_that_of_the_peers(self):
        self.compare("log_odds")

    def compare(self, loss):
        train, outcome = simulated(N_TRAIN, 3)
        test, truth = simulated(N_TEST, 4)
        if loss == "log_odds":
            middle = np.median(outcome)
            outcome, truth = outcome > middle, truth > middle
        found = ours(train, outcome, test, loss, SETTINGS)
        expected = {n: peer(train, outcome, test, loss, SETTINGS) for n, peer in PEERS.items()}
        between_peers = distance(*expected.values())
        for name, predicted in expected.items():
            with self.subTest(peer=name):
                losses = mean_loss(loss, found, truth) / mean_loss(loss, predicted, truth)
                distances = distance(found, predicted) / between_peers
                print(f"{loss}, {name}: {losses:.4f} of its loss, {distances:.3f} of the distance")
                self.assertLess(abs(losses - 1.0), LOSS_BOUND)
                self.assertLess(distances, DISTANCE_BOUND)


if __name__ == "__main__":
    unittest.main()
