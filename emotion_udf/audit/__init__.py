"""Labels examined: samples that people read, the precision that they find, and changes between two models.

Without Spark and without tables: what goes in are rows and counts.
"""
