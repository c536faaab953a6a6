"""The nightly run: its order of work, its session, its record and its report."""
