"""A second reader of run directories, written from docs/formats.md alone: nothing of the project is imported here."""
