"""Enclosures: arithmetic whose every result contains the true value."""
