"""Benchmarks, ours beside others in one run: `make bench`, or one module by itself."""
