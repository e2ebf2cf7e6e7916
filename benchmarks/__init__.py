"""Benchmarks: each module measures one thing beside its peers in one run, `python -m benchmarks.<name>`."""
