"""The nights of a pipeline of longhaul, as an asset of Dagster with a partition a day.

The partition of day D is the night as of D: it can be materialised on D itself, which is what
``end_offset=1`` says. A night that is done is done: materialising it again changes nothing.
"""

import os
import subprocess

import dagster as dg

PIPELINE = os.environ.get("LONGHAUL_PIPELINE", "/etc/longhaul/demo.toml")

NIGHTS = dg.DailyPartitionsDefinition(start_date="2026-01-01", timezone="UTC", end_offset=1)

# After the retries of the program itself, so that a further one is for outages of hours.
RETRIES = 3
RETRY_SECONDS = 600

RETRIED = {20: "the storage failed", 21: "another run works on the pipeline"}
FAILED = {
    2: "the command line is wrong",
    10: "a table breaks its contract",
    11: "a table is stale or missing",
    12: "the gates refused the model; the champion scored the night",
    13: "a person has to approve the model; the champion scored the night",
    30: "a setting is wrong",
}


@dg.asset(partitions_def=NIGHTS, pool="longhaul", description="Predictions for open shipments.")
def predictions(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    as_of = context.partition_key
    command = ["longhaul", "run", PIPELINE, "--as-of", as_of, "--log-format", "json"]
    night = subprocess.Popen(command)
    try:
        code = night.wait()
    finally:
        # If the step is ended, so is the night; it goes on there when it is run again.
        if night.poll() is None:
            night.terminate()
            night.wait(timeout=10)
    if code == 0:
        return dg.MaterializeResult(metadata={"as_of": as_of})
    if code in FAILED:
        raise dg.Failure(
            f"exit code {code}: {FAILED[code]}: docs/operations.md", allow_retries=False
        )
    # Also what nobody expected, such as a machine without memory: once more, then a person.
    problem = dg.Failure(f"exit code {code}: {RETRIED.get(code, 'unexpected')}")
    raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=RETRY_SECONDS) from problem


nights = dg.define_asset_job("longhaul_nights", selection=[predictions])

defs = dg.Definitions(
    assets=[predictions],
    jobs=[nights],
    schedules=[dg.build_schedule_from_partitioned_job(nights, hour_of_day=2, minute_of_hour=30)],
)
