"""Settings of the jobs: pydantic models of `conf/*.toml`, and their loading."""
