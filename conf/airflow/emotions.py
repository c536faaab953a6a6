"""Label each day's feedback in the night that follows it.

For Airflow 3: copy this file into the folder of DAGs, and change the lines above the operator. How it behaves is in
docs/schedulers.md, what the exit codes mean in docs/operations.md.
"""

from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, CronDataIntervalTimetable
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

SITE = "/srv/emotions"  # has .venv, conf and jobs, on every machine that runs tasks
START = "2026-10-05"  # the first day to label: all days since then are caught up
TIMEZONE = "UTC"  # whose days these are, as window.timezone of the settings
AT = "30 4 * * *"  # when the day's last file has come; not between 0 and 4, hours that a change of clocks can skip
SUBMIT = "spark-submit --master local[*,4] --driver-memory 4g"
SETTINGS = "--config conf/nightly.toml"
RETRIES = 2
RETRY_DELAY = timedelta(minutes=15)
LONGEST_NIGHT = timedelta(hours=6)

ENVIRONMENT = {  # added to the worker's; secrets do not belong here, since Airflow's pages show it
    "PATH": f"{SITE}/.venv/bin:/usr/local/bin:/usr/bin:/bin",
    "PYSPARK_PYTHON": f"{SITE}/.venv/bin/python",
    "SPARK_CONF_DIR": f"{SITE}/conf",
    "LC_ALL": "C.UTF-8",  # without a locale Java finds no path that is not plain ASCII
}

# The day belongs to the run of the DAG, so that every retry has it, whatever the day is on which it starts.
DAY = "{{ data_interval_start.in_timezone(dag.timezone).to_date_string() }}"
WINDOW = f"--from {DAY} --to {DAY}"
SINCE = "{{ ti.xcom_pull(task_ids='label', key='since') }}"

ANOTHER_RUN = 5
NEEDS_A_PERSON = (2, 3, 4)
"""Exit codes: settings, input, a gate. A retry would end in the same way."""


class NightOperator(BashOperator):
    """A command that runs a night, and is tried again only where that can help."""

    def execute(self, context: Any) -> Any:
        """Run the night, and leave for the next task since when the day has to be published."""
        context["ti"].xcom_push(key="since", value=context["dag_run"].start_date.isoformat())
        try:
            return super().execute(context)
        except AirflowSkipException as ended:
            code = self.subprocess_hook.sub_process.returncode
            if code == ANOTHER_RUN:
                raise
            raise AirflowFailException(f"the night ended with exit code {code}, which no retry changes") from ended


with DAG(
    dag_id="emotions",
    description="Label the day's feedback with emotions and publish the tables",
    doc_md=__doc__,
    # Named, since a plain cron expression means in Airflow 3 an interval that ends where it starts.
    schedule=CronDataIntervalTimetable(AT, timezone=TIMEZONE),
    start_date=pendulum.parse(START, tz=TIMEZONE),
    catchup=True,
    max_active_runs=1,
    tags=["emotions"],
    default_args={"cwd": SITE, "env": ENVIRONMENT, "append_env": True, "do_xcom_push": False},
) as dag:
    label = NightOperator(
        task_id="label",
        bash_command=f"{SUBMIT} jobs/score_feedback.py {SETTINGS} {WINDOW}",
        skip_on_exit_code=(*NEEDS_A_PERSON, ANOTHER_RUN),
        retries=RETRIES,
        retry_delay=RETRY_DELAY,
        execution_timeout=LONGEST_NIGHT,
        max_active_tis_per_dag=1,  # for runs of a backfill too, which max_active_runs does not count
    )
    # The last word, whatever `label` says: exit codes of a driver that runs elsewhere are wrong both ways.
    published = BashOperator(
        task_id="published",
        bash_command=f"python jobs/check_published.py {SETTINGS} {WINDOW} --since {SINCE}",
        trigger_rule="all_done",
        retries=0,
    )
    label >> published
