"""Command lines of the jobs, one module each; `jobs/*.py` are what spark-submit is given."""

import sys

from emotion_udf.jobs.compiled_pyspark import without_zip

sys.path[:] = without_zip(sys.path)  # before anything imports pyspark
