"""Memory of freed arrays, kept by the C library."""

import numpy as np

KEPT = 2**25 - 2**16  # bytes: the most that raises glibc's thresholds, less its own header


def keep_freed_memory() -> None:
    """Have the C library keep freed arrays: given back, each comes again page by page, up to half of a search's time (measured).

    glibc raises its thresholds for giving memory back to the size of the largest block freed so far (mallopt(3)); other
    libraries do nothing here.
    """
    np.empty(KEPT, dtype=np.uint8)
