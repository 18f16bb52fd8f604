"""Check: re-prove what was built, from the weights and the target text alone. Certifies, never repairs."""
