"""A search that found nothing, for what looks further."""

from __future__ import annotations

from uat.sampling import Sampled
from uat.stored_run import StoredRun


def poor_search(run: StoredRun) -> Sampled:
    """Stand for a search that stopped at the first sequence it looked at, where every token is the same."""
    n, d = run.target.n, run.target.d
    return Sampled(n, 0.0, [[run.ends(k)[0] for k in range(d)]] * n, None, 0, 1, 1.0, 1.0, 0.0, "uniform", "cpu", False)
