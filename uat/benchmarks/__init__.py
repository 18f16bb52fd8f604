"""What one certified function costs as each architecture: time, memory and FLOPs against sequence length."""

from uat.benchmarks.measuring import PROFILES, measure

__all__ = ["PROFILES", "measure"]
