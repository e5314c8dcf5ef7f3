"""Timings against other programs, one claim a file: `python -m bench.NAME`, or `make bench`."""
