"""Benchmarks: `make bench`. Each prints ratios against a named peer that is measured in the same run."""
