"""What accidents do to svevae: `kill` ends its long commands in the middle, `fuzz` feeds damaged
files to what reads, `soak` restarts the database of a search. `python -m benchmarks.faults --help`.
"""
