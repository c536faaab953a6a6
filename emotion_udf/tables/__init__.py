"""The tables: one protocol for the night, and Delta behind it."""
