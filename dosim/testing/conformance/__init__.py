"""
Replay of recorded answers of the real runtime: storage, concurrency and whole Python projects.

`report.main` is the command; `runner.run_paths` gives the results as data.
"""
