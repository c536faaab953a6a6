"""The job that builds the page; see `emotion_udf.jobs.build_dashboard`."""

from emotion_udf.jobs.build_dashboard import main

raise SystemExit(main())
