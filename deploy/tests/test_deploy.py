"""The files for schedulers, as far as this machine can run them: `make test-deploy`.

What cannot run here is printed as not run, with the reason. `LONGHAUL` is the program.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from fake_program import HERE, OnPath

DEPLOY = HERE.parent
ROOT = DEPLOY.parent
LONGHAUL = os.environ["LONGHAUL"]
TOOLS = pathlib.Path(sys.executable).parent

# What every scheduler must do with an exit code.
RETRIED = {20, 21}
FAILED = {2, 10, 11, 12, 30}
APPROVAL = 13


def run(*command, **more) -> subprocess.CompletedProcess:
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


class ExitCodes(unittest.TestCase):
    def test_they_are_those_that_the_program_names(self):
        text = run(LONGHAUL, "--help").stdout.split("Exit codes:")[1]
        named = {int(code) for code in re.findall(r"(?:^\s*|·\s*)(\d+)\s", text)}
        self.assertEqual(named, RETRIED | FAILED | {0, 1, APPROVAL, 130, 143})


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
class Systemd(unittest.TestCase):
    def units(self, folder: str, replaced: tuple[str, str] = ("", "")) -> pathlib.Path:
        """A copy of the units that names a program that is there."""
        for unit in (DEPLOY / "systemd").iterdir():
            text = unit.read_text().replace("/usr/local/bin/longhaul", LONGHAUL)
            self.assertTrue(replaced[0] in text or unit.suffix == ".timer")
            (pathlib.Path(folder) / unit.name).write_text(text.replace(*replaced))
        return pathlib.Path(folder)

    def test_units_are_verified(self):
        with tempfile.TemporaryDirectory() as folder:
            units = self.units(folder)
            for unit in ["longhaul@.service", "longhaul@.timer"]:
                verified = run("systemd-analyze", "verify", "--man=no", str(units / unit))
                about_ours = [line for line in verified.stderr.splitlines() if "longhaul" in line]
                self.assertEqual((verified.returncode, about_ours), (0, []), verified.stderr)

    def test_a_unit_that_systemd_would_refuse_is_not(self):
        with tempfile.TemporaryDirectory() as folder:
            units = self.units(folder, ("Type=exec", "Type=oneshot"))
            verified = run("systemd-analyze", "verify", "--man=no", str(units / "longhaul@.service"))
            self.assertIn("RestartForceExitStatus", verified.stderr)

    def test_the_service_is_shut_in(self):
        with tempfile.TemporaryDirectory() as folder:
            unit = self.units(folder) / "longhaul@.service"
            # Of 100, which is no protection at all.
            judged = run("systemd-analyze", "security", "--offline=true", "--threshold=20", str(unit))
            self.assertEqual(judged.returncode, 0, judged.stdout[-800:] + judged.stderr)

    def test_the_timer_is_once_a_night(self):
        when = re.search(r"^OnCalendar=(.*)$", (DEPLOY / "systemd/longhaul@.timer").read_text(), re.M)
        found = run("systemd-analyze", "calendar", "--iterations=2", when[1])
        self.assertEqual(found.returncode, 0, found.stderr)
        self.assertEqual(len(re.findall(r"02:30:00 UTC", found.stdout)), 3, found.stdout)

    def test_what_is_restarted_is_what_may_work_later(self):
        text = (DEPLOY / "systemd/longhaul@.service").read_text()
        codes = lambda key: {int(code) for code in re.search(rf"^{key}=(.*)$", text, re.M)[1].split()}
        self.assertEqual(codes("RestartForceExitStatus"), RETRIED)
        self.assertEqual(codes("SuccessExitStatus"), {APPROVAL, 143})


class Kubernetes(unittest.TestCase):
    def setUp(self):
        import yaml

        self.job = yaml.safe_load((DEPLOY / "kubernetes/cronjob.yaml").read_text())

    def test_the_cron_job_keeps_to_the_schema_of_kubernetes(self):
        import kubernetes_validate

        for version in ["1.30", "1.37"]:
            kubernetes_validate.validate(self.job, version, strict=True)
        del self.job["spec"]["schedule"]
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(self.job, "1.37", strict=True)

    def test_the_policy_does_with_each_exit_code_what_it_should(self):
        spec = self.job["spec"]["jobTemplate"]["spec"]
        [container] = spec["template"]["spec"]["containers"]

        def action(code: int) -> str | None:
            for rule in spec["podFailurePolicy"]["rules"]:
                on = rule.get("onExitCodes")
                if on and code in on["values"] and on["containerName"] == container["name"]:
                    self.assertEqual(on["operator"], "In")
                    return rule["action"]
            return None

        self.assertEqual({action(code) for code in RETRIED}, {"Count"})
        self.assertEqual({action(code) for code in FAILED | {APPROVAL}}, {"FailJob"})
        self.assertEqual(action(143), "Ignore")
        self.assertEqual({action(1), action(101)}, {None})
        # The policy is for pods that are not restarted, and a night ends on its own day.
        self.assertEqual(spec["template"]["spec"]["restartPolicy"], "Never")
        minute, hour = map(int, self.job["spec"]["schedule"].split()[:2])
        latest = hour * 3600 + minute * 60 + spec["activeDeadlineSeconds"]
        self.assertLess(latest, 86_400)


class Airflow(unittest.TestCase):
    def test_a_night_is_retried_failed_or_skipped_by_its_exit_code(self):
        cases = [[0], [20, 21, 0], [21] * 9, [APPROVAL], [1, 0], *([code] * 2 for code in FAILED)]
        with tempfile.TemporaryDirectory() as home:
            variables = {
                **os.environ,
                "AIRFLOW_HOME": home,
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "AIRFLOW__CORE__DAGS_FOLDER": str(DEPLOY / "airflow"),
                "LONGHAUL_PIPELINE": "/etc/longhaul/demo.toml",
            }
            migrated = run(str(TOOLS / "airflow"), "db", "migrate", env=variables)
            self.assertEqual(migrated.returncode, 0, migrated.stderr[-2000:])
            script = [sys.executable, str(HERE / "airflow_nights.py"), json.dumps(cases)]
            ended = run(*script, env=variables)
            self.assertEqual(ended.returncode, 0, ended.stderr[-2000:])
        results = json.loads(ended.stdout.splitlines()[-1])
        states = [(state, len(calls)) for state, calls in results]
        expected = [("success", 1), ("success", 3), ("failed", 4), ("skipped", 1), ("success", 2)]
        self.assertEqual(states, expected + [("failed", 1)] * len(FAILED))
        for day, (_, calls) in enumerate(results, start=1):
            night = f"run /etc/longhaul/demo.toml --as-of 2026-03-{day:02} --log-format json"
            self.assertEqual(set(calls), {night})


class Dagster(unittest.TestCase):
    def setUp(self):
        sys.path.insert(0, str(DEPLOY / "dagster"))
        import longhaul_nights as nights

        self.nights = nights
        nights.RETRY_SECONDS = 0

    def materialize(self, as_of: str):
        import dagster

        instance = dagster.DagsterInstance.ephemeral()
        asset = self.nights.predictions
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        return dagster.materialize(
            [asset],
            partition_key=as_of,
            raise_on_error=False,
            instance=instance,
            run_config=quiet,
        )

    def test_a_night_is_retried_or_failed_by_its_exit_code(self):
        cases = [([0], True, 1), ([20, 21, 0], True, 3), ([21] * 9, False, 4), ([1, 0], True, 2)]
        cases += [([code] * 2, False, 1) for code in FAILED | {APPROVAL}]
        for codes, succeeds, n_calls in cases:
            with self.subTest(codes=codes), OnPath(codes) as program:
                ended = self.materialize("2026-03-01")
                self.assertEqual((ended.success, len(program.calls())), (succeeds, n_calls))
                [called] = set(program.calls())
                self.assertIn("--as-of 2026-03-01 ", called)

    def test_the_schedule_runs_the_night_of_its_own_day(self):
        from datetime import datetime, timezone

        import dagster

        [schedule] = self.nights.defs.schedules
        at = datetime(2026, 3, 1, 2, 30, tzinfo=timezone.utc)
        context = dagster.build_schedule_context(scheduled_execution_time=at)
        resolved = self.nights.defs.resolve_schedule_def(schedule.name)
        [request] = resolved.evaluate_tick(context).run_requests
        self.assertEqual(request.partition_key, "2026-03-01")

    def test_the_real_program_runs_a_night(self):
        with tempfile.TemporaryDirectory() as store:
            variables = {
                "LONGHAUL__STORE__URL": store,
                "LONGHAUL__SIMULATE__FIRST_DAY": "2026-01-01",
                "LONGHAUL__EVALUATE__GATES__COVERAGE_80_MIN": "0.3",
                "LONGHAUL__EVALUATE__GATES__COVERAGE_80_MAX": "1",
            }
            self.nights.PIPELINE = str(ROOT / "tests/small.toml")
            with OnPath(real=LONGHAUL, **variables):
                # Without any table, it is not tried again.
                self.assertFalse(self.materialize("2026-05-01").success)
                made = run(LONGHAUL, "simulate", self.nights.PIPELINE)
                self.assertEqual(made.returncode, 0, made.stderr)
                self.assertTrue(self.materialize("2026-05-01").success)
                models = json.loads(run(LONGHAUL, "models", "list", "--json").stdout)["result"]
            [model] = models["models"]
            self.assertEqual((model["as_of"], models["champions"]), ("2026-05-01", {"small": model["model_id"]}))


class Linters(unittest.TestCase):
    def test_the_container_file(self):
        linted = run(str(TOOLS / "hadolint"), str(DEPLOY / "Containerfile"))
        self.assertEqual((linted.returncode, linted.stdout), (0, ""))

    def test_scripts_and_the_cron_line(self):
        [line] = [line for line in (DEPLOY / "cron/longhaul").read_text().splitlines() if line[:1].isdigit()]
        command = line.split(maxsplit=6)[6].replace(r"\%", "%")
        scripts = [(HERE / "fake_longhaul.sh").read_text(), f"#!/bin/sh\n{command}\n"]
        for script in scripts:
            # SC1091: the file of keys is not here.
            linted = run(str(TOOLS / "shellcheck"), "--exclude=SC1091", "-", input=script)
            self.assertEqual(linted.returncode, 0, linted.stdout)

    def test_the_cron_line_runs_the_night_of_today_and_says_how_it_ended(self):
        [line] = [line for line in (DEPLOY / "cron/longhaul").read_text().splitlines() if line[:1].isdigit()]
        with tempfile.TemporaryDirectory() as folder, OnPath([10, 0]) as program:
            (pathlib.Path(folder) / "demo.env").touch()
            command = line.split(maxsplit=6)[6].replace(r"\%", "%")
            command = command.replace("/etc/longhaul/demo.env", f"{folder}/demo.env")
            command = command.replace("/var/log/longhaul/demo.log", f"{folder}/demo.log")
            failed, done = (run("/bin/sh", "-c", command) for _ in range(2))
            self.assertIn("the night of demo ended with 10", failed.stdout)
            self.assertEqual((done.stdout, done.stderr), ("", ""))
            today = run("date", "-u", "+%F").stdout.strip()
            self.assertIn(f"run /etc/longhaul/demo.toml --as-of {today} --quiet", program.calls())


class Image(unittest.TestCase):
    def test_the_image_is_built_and_starts(self):
        engine = shutil.which("docker") or shutil.which("podman")
        if engine is None or run(engine, "info").returncode != 0:
            self.skipTest("the image: no container engine answers")
        built = run(engine, "build", "-q", "-f", str(DEPLOY / "Containerfile"), str(ROOT))
        self.assertEqual(built.returncode, 0, built.stderr[-2000:])
        started = run(engine, "run", "--rm", built.stdout.strip(), "--version")
        self.assertIn("longhaul", started.stdout)


if __name__ == "__main__":
    program = unittest.main(exit=False, verbosity=2, warnings="ignore")
    for test, reason in program.result.skipped:
        print(f"not run: {test.id()}: {reason}")
    sys.exit(not program.result.wasSuccessful())
