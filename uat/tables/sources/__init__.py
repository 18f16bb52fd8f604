"""What computes the records that tables are printed from, one kind of record a module."""
