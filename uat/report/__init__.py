"""One HTML page about a run, for somebody who decides and for somebody who checks."""
