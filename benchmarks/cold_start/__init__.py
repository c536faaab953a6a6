"""From spark-submit to the first scored row: this project's UDF, one around transformers' pipeline, and Spark alone."""
