"""Runs the DAG in Airflow, with a database of its own, and prints what became of each night.

Arguments: cases as JSON, each a list of exit codes. Prints a JSON list of [state of the task, calls].
"""

import json
import logging
import pathlib
import sys
from datetime import datetime, timedelta, timezone

from fake_program import OnPath

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "airflow"))


def main() -> None:
    import longhaul_nights

    logging.disable(logging.CRITICAL)
    dag = longhaul_nights.dag
    night = dag.get_task("night")
    night.retry_delay, night.retry_exponential_backoff = timedelta(0), False
    results = []
    for day, codes in enumerate(json.loads(sys.argv[1]), start=1):
        with OnPath(codes) as program:
            at = datetime(2026, 3, day, 2, 30, tzinfo=timezone.utc)
            run = dag.test(logical_date=at)
            [task] = run.get_task_instances()
            results.append([str(task.state), program.calls()])
    print("\n" + json.dumps(results))


main()
