"""Prints the window of each run that the DAG has between two days, as JSON, in Airflow's own Python.

python tests/schedulers/list_windows.py dags/emotions.py 2026-10-23 2026-10-28
"""

import json
import runpy
import sys

import pendulum
from airflow.serialization.serialized_objects import DagSerialization

facts = runpy.run_path(sys.argv[1])
dag = facts["dag"]
first, last = (pendulum.parse(day, tz=facts["TIMEZONE"]) for day in sys.argv[2:4])
template = dag.get_template_env().from_string(facts["WINDOW"])
scheduled = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
runs = scheduled.iter_dagrun_infos_between(first, last)
print(  # noqa: T201
    json.dumps(
        [
            (template.render(data_interval_start=run.data_interval.start, dag=dag), run.run_after.isoformat())
            for run in runs
        ]
    )
)
