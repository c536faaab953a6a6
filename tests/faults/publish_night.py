"""Publish one night below a root, as a process that can be killed.

python -m tests.faults.publish_night ROOT RUN DATE…
"""

import sys
from datetime import date

from emotion_udf.storage import open_folder
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from tests.helpers.releases import publish_night


def main(root: str, run_id: str, *days: str) -> None:
    warehouse = DeltaWarehouse(open_folder(root))
    warehouse.repair()
    publish_night(warehouse, run_id, [date.fromisoformat(day) for day in days])


if __name__ == "__main__":
    main(*sys.argv[1:])
