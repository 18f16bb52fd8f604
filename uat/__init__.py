"""Talk to people: command line, run directories, tables. Never computes a bound itself."""
