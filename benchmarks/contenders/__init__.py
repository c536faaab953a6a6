"""The contenders of `benchmarks.throughput`, each a module that runs as a process of its own.

Peers run in the benchmarks' environment (tools/setup_benchmarks.sh) and import nothing of this project but
`benchmarks.machine` and the files beside them. `contract` is what a contender is asked and what it answers.
"""
