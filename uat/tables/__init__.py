"""Tables for a paper: every number comes from a record of a run, certified ones rounded up and sampled ones down.

``records.py`` finds or computes records, the modules of ``kinds`` print one table each from them, ``writing.py`` and the
writers beside it know LaTeX, Markdown, CSV and the terminal and nothing of what is printed.
"""
