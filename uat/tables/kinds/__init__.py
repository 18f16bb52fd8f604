"""The tables, one a module; each maps the content of one record to a table and computes nothing else."""
