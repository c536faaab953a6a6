"""The steps of a night, each a function from DataFrame to DataFrame; `pipeline` puts them in order."""
