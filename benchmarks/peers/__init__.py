"""Other tools' sides of the benchmarks. Each script runs in an environment of its own: `make peers`."""
