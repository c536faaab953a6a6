"""The page for analysts: a release -> aggregates by DuckDB -> one HTML file that needs no server."""
