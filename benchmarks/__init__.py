"""Benchmarks: run once as tests, timed with ``--benchmark-enable``; see docs/performance.md."""
