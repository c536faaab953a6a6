"""Checks on a finished night before anything is published; no Spark, no tables."""
