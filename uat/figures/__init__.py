"""The figures of the appendix, one a file; ``command.py`` finds their data, draws and writes them.

A figure is drawn from a record and nothing else, so that it can be drawn again without computing anything.
"""
