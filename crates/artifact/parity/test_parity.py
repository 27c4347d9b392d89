"""That the comparison finds what is wrong: each reader is given an altered model.

    FOLDER=… SCORER=… python test_parity.py

FOLDER is an exported model with the files of a bundle's trees, SCORER the program by which our scorer
reads it."""

import os
import pathlib
import re
import shutil
import tempfile
import unittest

import lightgbm
import numpy as np

import readers
from vectors import Vectors, relative_difference, ulps

FOLDER = pathlib.Path(os.environ["FOLDER"])


def without_sizes(text):
    """Without the sizes of trees in the header, which an altered tree has no more."""
    return re.sub(r"(?m)^tree_sizes=.*\n", "", text)


def alter(text, key, change):
    """The text with the first value of a key changed in the first tree that has two or more."""
    found = re.search(rf"^{key}=(\S+) \S.*$", text, re.MULTILINE)
    value = change(found.group(1))
    assert value != found.group(1)
    return without_sizes(text[: found.start(1)] + value + text[found.end(1) :])


def alter_all(text, key, change):
    """The text with all values of a key changed in the first tree that has two or more."""
    found = re.search(rf"^{key}=(\S+ \S.*)$", text, re.MULTILINE)
    values = " ".join(change(value) for value in found.group(1).split(" "))
    return without_sizes(text[: found.start(1)] + values + text[found.end(1) :])


def next_float(text):
    """The next number of 32 bits, as leaves are: of 64 bits it might be lost in a sum."""
    return repr(float(np.nextafter(np.float32(text), np.float32(np.inf))))


class Altered(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        shutil.copytree(FOLDER, self.folder, dirs_exist_ok=True)
        self.path = self.folder / "regressor_0" / "q50" / "model.txt"

    def problems(self, reader, key, change, altered=alter):
        text = self.path.read_text()
        self.path.write_text(altered(text, key, change))
        found = readers.READERS[reader](self.folder, Vectors(self.folder))
        self.path.write_text(text)
        return found.problems

    def test_the_model_as_it_is_agrees(self):
        for reader in ["scorer", "lightgbm", "treelite", "shap"]:
            found = readers.READERS[reader](self.folder, Vectors(self.folder))
            self.assertEqual(found.problems, [], reader)

    def test_one_bit_of_a_leaf_is_found(self):
        for reader in ["lightgbm", "treelite"]:
            # Of all leaves of a tree: of a forest's many leaves the rows reach a few.
            problems = self.problems(reader, "leaf_value", next_float, alter_all)
            self.assertTrue(any("ulp" in problem for problem in problems), (reader, problems))

    def test_another_side_for_missing_values_is_found(self):
        def flipped(text):
            kind = int(text)
            # A split on codes has no side for missing values, so it is made one on a number.
            return str(kind ^ 1 if kind & 1 else kind ^ 2)

        for reader in ["lightgbm", "treelite"]:
            problems = self.problems(reader, "decision_type", flipped)
            self.assertTrue(any("leaves" in problem for problem in problems), (reader, problems))

    def test_swapped_children_are_found(self):
        for reader in ["lightgbm", "treelite"]:
            text = self.path.read_text()
            swapped = text.replace("left_child=", "other=").replace("right_child=", "left_child=")
            self.path.write_text(without_sizes(swapped.replace("other=", "right_child=")))
            found = readers.READERS[reader](self.folder, Vectors(self.folder))
            self.path.write_text(text)
            self.assertTrue(found.problems, reader)

    def test_missing_counts_are_found_by_shap(self):
        text = self.path.read_text()
        without = re.sub(r"^(leaf|internal)_count=.*\n", "", text, flags=re.MULTILINE)
        self.path.write_text(without_sizes(without))
        found = readers.READERS["shap"](self.folder, Vectors(self.folder))
        self.assertTrue(found.problems)

    def test_other_counts_are_found_by_shap(self):
        problems = self.problems("shap", "leaf_count", lambda count: str(int(count) + 1000))
        self.assertTrue(any("q50: differs by" in problem for problem in problems), problems)

    def test_another_model_is_found_by_the_scorer(self):
        shutil.copy(self.folder / "regressor_0.bin", self.folder / "regressor_1.bin")
        found = readers.READERS["scorer"](self.folder, Vectors(self.folder))
        self.assertIn("regressor_1", found.problems[0])

    def test_a_reader_without_its_file_is_not_run(self):
        for reader, name in [("onnxruntime", "model.onnx"), ("mlflow.pyfunc", "MLmodel")]:
            (self.folder / name).unlink(missing_ok=True)
            with self.assertRaisesRegex(readers.NotRun, name):
                readers.READERS[reader](self.folder, Vectors(self.folder))


class Thresholds(unittest.TestCase):
    """A threshold that is one float of 32 bits off, up or down, is found where rows meet its split."""

    def altered(self, text):
        """Texts in which one threshold is off."""
        text = without_sizes(text)
        sections = re.findall(r"^Tree=\d+\n.*?\n\n\n", text, re.MULTILINE | re.DOTALL)
        for section in sections[:: max(1, len(sections) // 10)]:
            types, values = [
                re.search(rf"^{key}=(.*)$", section, re.MULTILINE).group(1).split()
                for key in ["decision_type", "threshold"]
            ]
            for at in range(0, len(values), 5):
                value = np.float32(values[at])
                # Of codes it is a position; next to 0 LightGBM reads neighbours as 0.
                if int(types[at]) & 1 or not 1e-30 < abs(value) < 1e30:
                    continue
                for towards in [np.inf, -np.inf]:
                    near = float(np.nextafter(value, np.float32(towards)))
                    line = " ".join([*values[:at], repr(near), *values[at + 1 :]])
                    other = re.sub(r"(?m)^threshold=.*$", f"threshold={line}", section)
                    yield text.replace(section, other)

    def test_thresholds_next_to_the_right_one_are_found(self):
        vectors = Vectors(FOLDER)
        rows = readers.read_by_lightgbm(vectors)
        expected = vectors.leaves("regressor_0")[rows]
        text = (FOLDER / "regressor_0" / "q50" / "model.txt").read_text()
        found = []
        for altered in self.altered(text):
            booster = lightgbm.Booster(model_str=altered)
            leaves = booster.predict(vectors.rows[rows], pred_leaf=True).reshape(expected.shape)
            found.append(bool(np.any(leaves != expected)))
        self.assertGreater(len(found), 10)
        # Of a model that no training made, conditions of many paths exclude each other, and of one of
        # tens of thousands of splits the rows meet some.
        met = int(vectors.metadata["splits_met"]) / int(vectors.metadata["splits"])
        self.assertGreaterEqual(np.mean(found), 0.98 if met > 0.99 else 0.5 * met)


class Numbers(unittest.TestCase):
    def test_units_in_the_last_place(self):
        one = np.array([1.0, -0.0, np.nan, 1e-310])
        self.assertEqual(ulps(one, np.array([1.0, 0.0, np.nan, 1e-310])), 0)
        self.assertEqual(ulps(np.nextafter(one, 2), one), 1)
        smallest = np.nextafter(0.0, 1.0)
        self.assertEqual(ulps(np.array([smallest]), np.array([-smallest])), 2)
        self.assertEqual(ulps(np.array([np.nan]), np.array([1.0])), np.inf)
        self.assertGreater(ulps(np.array([1e308]), np.array([-1e308])), 2**63)
        with self.assertRaises(ValueError):
            ulps(one, one.astype(np.float32))

    def test_relative_difference(self):
        self.assertEqual(relative_difference(np.array([1.0]), np.array([1.0])), 0.0)
        self.assertAlmostEqual(relative_difference(np.array([1.1]), np.array([1.0])), 0.1)
        self.assertEqual(relative_difference(np.array([np.nan]), np.array([1.0])), np.inf)


if __name__ == "__main__":
    unittest.main()
