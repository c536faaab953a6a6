"""Command lines of the jobs, one module each; `jobs/*.py` are what spark-submit is given."""
