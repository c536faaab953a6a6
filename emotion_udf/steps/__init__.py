"""The steps of a night, each a function from DataFrame to DataFrame; `nightly.pipeline` puts them in order."""
