"""What runs leave for others, read by those others' own libraries: `make test-deploy`.

Two runs of the small network, one that succeeds and one that fails: their records by JSON Schema, their
metrics by Prometheus' parser, their lineage by OpenLineage's classes. `LONGHAUL` is the program.
"""

import importlib
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import jsonschema
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from prometheus_client.parser import text_string_to_metric_families

ROOT = pathlib.Path(__file__).resolve().parents[2]
LONGHAUL = os.environ["LONGHAUL"]

# Where OpenLineage's classes of facets are, by key.
FACETS = {
    "nominalTime": ("nominal_time_run", "NominalTimeRunFacet"),
    "processing_engine": ("processing_engine_run", "ProcessingEngineRunFacet"),
    "errorMessage": ("error_message_run", "ErrorMessageRunFacet"),
    "jobType": ("job_type_job", "JobTypeJobFacet"),
    "version": ("dataset_version_dataset", "DatasetVersionDatasetFacet"),
    "dataQualityMetrics": (
        "data_quality_metrics_input_dataset",
        "DataQualityMetricsInputDatasetFacet",
    ),
    "outputStatistics": ("output_statistics_output_dataset", "OutputStatisticsOutputDatasetFacet"),
}


def described_keys(root, schema, value, path=""):
    """The keys of a document that its schema says nothing of."""
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
    for choice in schema.get("anyOf", []):
        if value is not None and choice.get("type") != "null":
            return described_keys(root, choice, value, path)
    missing = []
    if isinstance(value, list):
        for entry in value:
            missing += described_keys(root, schema.get("items", {}), entry, f"{path}[]")
    elif isinstance(value, dict) and "properties" in schema:
        for key, entry in value.items():
            inner = schema["properties"].get(key)
            missing += [f"{path}.{key}"] if inner is None else described_keys(root, inner, entry, f"{path}.{key}")
    return missing


class Records(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(cls.folder.name)
        cls.store, cls.prom, cls.events = (
            str(folder / name) for name in ["store", "longhaul.prom", "lineage.jsonl"]
        )
        tells = {"metrics_file": cls.prom, "openlineage": cls.events}
        tells = [f'operations.{name}="{path}"' for name, path in tells.items()]
        sets = [part for tell in [*tells, "train.boost.rounds=10"] for part in ("--set", tell)]
        cls.program("simulate", "tests/small.toml", code=0)
        night = ["run", "tests/small.toml", "--as-of", "2025-10-29", "--json", *sets]
        cls.documents = [
            cls.program(*night, code=0),
            cls.program(*night, "--set", 'check.contracts="none"', code=30),
        ]

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def program(cls, *arguments: str, code: int) -> str:
        ended = subprocess.run(
            [LONGHAUL, *arguments, "--store", cls.store],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
        if ended.returncode != code:
            raise AssertionError(f"{arguments}: {ended.returncode}: {ended.stderr}")
        return ended.stdout

    def test_stored_records_are_as_their_schema_says(self):
        schema = json.loads((ROOT / "schemas/run.schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema)
        records = sorted(pathlib.Path(self.store, "nights").glob("small/2025-10-29/*.json"))
        self.assertEqual(len(records), 2)
        for path, document in zip(records, self.documents):
            record = json.loads(path.read_text())
            validator.validate(record)
            printed = json.loads(document)["result"]
            seal = {"schema": record.pop("schema"), "sha256": record.pop("sha256")}
            self.assertEqual(record, printed)
            with self.assertRaises(jsonschema.ValidationError):
                validator.validate({**record, **seal, "status": "forgotten"})

    def test_a_signature_is_one_for_the_library_cryptography(self):
        secret = Ed25519PrivateKey.generate()
        path = pathlib.Path(self.folder.name) / "key.pem"
        path.write_bytes(
            secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        self.program("models", "sign", "--key", str(path), code=0)
        (signature,) = pathlib.Path(self.store, "models").glob("*/manifest.sig")
        manifest = (signature.parent / "manifest.json").read_bytes()
        secret.public_key().verify(signature.read_bytes(), manifest)
        with self.assertRaises(InvalidSignature):
            secret.public_key().verify(signature.read_bytes(), manifest + b" ")

    def test_metrics_of_models_are_as_their_schema_says(self):
        schema = json.loads((ROOT / "schemas/metrics.schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema)
        (path,) = pathlib.Path(self.store, "models").glob("*/metrics.json")
        metrics = json.loads(path.read_text())
        validator.validate(metrics)
        # Every key is described, at every depth.
        self.assertEqual(described_keys(schema, schema, metrics), [])
        with self.assertRaises(jsonschema.ValidationError):
            validator.validate({**metrics, "overall": [{}]})

    def test_metrics_are_read_by_prometheus(self):
        families = {
            family.name: family
            for family in text_string_to_metric_families(pathlib.Path(self.prom).read_text())
        }
        self.assertTrue(all(family.type == "gauge" for family in families.values()))
        value = {name: family.samples[0].value for name, family in families.items()}
        self.assertEqual(value["longhaul_last_run_exit_code"], 30)
        success = value["longhaul_last_success_timestamp_seconds"]
        self.assertLess(success, value["longhaul_last_run_timestamp_seconds"])
        (exit_code,) = families["longhaul_last_run_exit_code"].samples
        self.assertEqual(exit_code.labels, {"pipeline": "small"})

    def test_lineage_is_of_the_classes_of_openlineage(self):
        events = [json.loads(line) for line in pathlib.Path(self.events).read_text().splitlines()]
        self.assertEqual(
            [event["eventType"] for event in events], ["START", "COMPLETE", "START", "FAIL"]
        )
        for event in events:
            parsed = RunEvent(
                eventTime=event["eventTime"],
                eventType=RunState[event["eventType"]],
                producer=event["producer"],
                run=Run(event["run"]["runId"], self.facets(event["run"]["facets"])),
                job=Job(
                    event["job"]["namespace"],
                    event["job"]["name"],
                    self.facets(event["job"]["facets"]),
                ),
                inputs=[
                    InputDataset(
                        dataset["namespace"],
                        dataset["name"],
                        facets=self.facets(dataset["facets"]),
                        inputFacets=self.facets(dataset["inputFacets"]),
                    )
                    for dataset in event["inputs"]
                ],
                outputs=[
                    OutputDataset(
                        dataset["namespace"],
                        dataset["name"],
                        outputFacets=self.facets(dataset.get("outputFacets", {})),
                    )
                    for dataset in event["outputs"]
                ],
            )
            self.assertEqual(event["schemaURL"], parsed.schemaURL)
        complete = events[1]
        self.assertEqual(len(complete["inputs"]), 3)
        self.assertEqual(len(complete["outputs"]), 5)
        self.assertIn("errorMessage", events[3]["run"]["facets"])

    def facets(self, facets: dict) -> dict:
        """Facets as OpenLineage's own classes, which refuse what they do not know."""
        made = {}
        for key, facet in facets.items():
            module, name = FACETS[key]
            module = importlib.import_module(f"openlineage.client.generated.{module}")
            kind = getattr(module, name)
            self.assertEqual(facet["_schemaURL"], kind._get_schema())
            fields = {name: value for name, value in facet.items() if not name.startswith("_")}
            made[key] = kind(**fields)
        return made


if __name__ == "__main__":
    unittest.main(verbosity=2)
