"""The input: files examined before Spark opens them, and read with one agreed schema."""
