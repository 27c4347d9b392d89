"""The nights of a pipeline of longhaul, as a DAG of Airflow 3.

A run of day D is the night as of D: with CronTriggerTimetable the logical date is the moment of the
run itself, so ``{{ ds }}`` is D, also when the task is cleared and run again days later. A night that
is done is done: running it again changes nothing.
"""

from __future__ import annotations

import os
import subprocess
from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG, BaseOperator, CronTriggerTimetable
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

PIPELINE = os.environ.get("LONGHAUL_PIPELINE", "/etc/longhaul/demo.toml")

# After the retries of the program itself, so that a further one is for outages of hours.
RETRIED = {20: "the storage failed", 21: "another run works on the pipeline"}
SKIPPED = {13: "a person has to approve the model; the champion scored the night"}
FAILED = {
    2: "the command line is wrong",
    10: "a table breaks its contract",
    11: "a table is stale or missing",
    12: "the gates refused the model; the champion scored the night",
    30: "a setting is wrong",
}


class LonghaulNight(BaseOperator):
    """Runs one night, and says by its exit code whether a retry can help."""

    template_fields = ("as_of",)

    def __init__(self, *, pipeline: str, as_of: str = "{{ ds }}", **more) -> None:
        super().__init__(**more)
        self.pipeline = pipeline
        self.as_of = as_of
        self._night: subprocess.Popen | None = None

    def execute(self, context) -> None:
        command = ["longhaul", "run", self.pipeline, "--as-of", self.as_of, "--log-format", "json"]
        self._night = subprocess.Popen(command)
        code = self._night.wait()
        if code == 0:
            return
        if code in SKIPPED:
            raise AirflowSkipException(f"exit code {code}: {SKIPPED[code]}")
        if code in FAILED:
            raise AirflowFailException(f"exit code {code}: {FAILED[code]}: docs/operations.md")
        # Also what nobody expected, such as a machine without memory: once more, then a person.
        raise RuntimeError(f"exit code {code}: {RETRIED.get(code, 'unexpected')}")

    def on_kill(self) -> None:
        # On SIGTERM the night ends within 5 seconds, and goes on there when it is run again.
        if self._night is not None and self._night.poll() is None:
            self._night.terminate()
            self._night.wait(timeout=10)


with DAG(
    dag_id="longhaul_nights",
    schedule=CronTriggerTimetable("30 2 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    # Days that were missed: `longhaul backfill --only missing`, or `airflow backfill create`.
    catchup=False,
    max_active_runs=1,
    tags=["longhaul"],
) as dag:
    LonghaulNight(
        task_id="night",
        pipeline=PIPELINE,
        retries=3,
        retry_delay=timedelta(minutes=10),
        retry_exponential_backoff=True,
        execution_timeout=timedelta(hours=20),
    )
