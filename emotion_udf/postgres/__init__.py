"""Copies of a release in PostgreSQL: read from Delta, written in one transaction, without Spark."""
