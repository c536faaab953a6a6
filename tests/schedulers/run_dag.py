"""Runs the DAG once by `dag.test()`, in Airflow's own Python; its last line tells as JSON how the run has ended.

python tests/schedulers/run_dag.py dags/emotions.py 2026-10-06T04:30:00+00:00
"""

import json
import runpy
import sys

import pendulum

dag = runpy.run_path(sys.argv[1])["dag"]
run = dag.test(logical_date=pendulum.parse(sys.argv[2]))
tasks = {task.task_id: {"state": task.state, "tries": task.try_number} for task in run.get_task_instances()}
print(json.dumps({"state": run.state, "tasks": tasks}))  # noqa: T201
