"""The contenders of `benchmarks.throughput`, each on Spark in a process of its own.

Peers run in the benchmarks' environment (tools/setup_benchmarks.sh) and import nothing of this project but
`benchmarks.machine` and the files here. `contract` is what a contender is asked and what it answers.
"""
