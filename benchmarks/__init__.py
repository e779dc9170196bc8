"""Measurements that are no tests: run them with `python -m benchmarks.NAME`."""
