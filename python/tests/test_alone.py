"""The package without any library of tables: in an environment that has nothing else."""

import importlib.util
import os
import unittest

import longhaul


class Alone(unittest.TestCase):
    def test_rows_need_no_library(self) -> None:
        for library in ["pandas", "polars", "pyarrow", "numpy"]:
            self.assertIsNone(importlib.util.find_spec(library), library)
        model = longhaul.load(os.environ["BUNDLE"])
        forecast = model.predict_row({feature.name: None for feature in model.features})
        hours = list(forecast.hours.values())
        self.assertEqual(hours, sorted(hours))
        self.assertTrue(0 < forecast.probability_over_2d < 1)
        with self.assertRaisesRegex(TypeError, "expected a table"):
            model.predict({})  # type: ignore[type-var]
        table = longhaul.SpeedTable(os.path.join(os.environ["SPEED_TABLE"], "speed.bin"))
        self.assertEqual(table.lookup(destination_zone="22041").grouping, "destination_zone")


if __name__ == "__main__":
    unittest.main()
