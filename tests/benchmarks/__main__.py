"""Everything docs/benchmarks.md records: ``python -m tests.benchmarks`` (several minutes on a quiet machine)."""

from __future__ import annotations

import torch

from tests.benchmarks import (
    bent_kernels,
    commands,
    continuous,
    executors,
    exponential_averages,
    forward,
    gpu,
    linear_bounds,
    sampling,
    structure,
    subdivision,
    two_coordinates,
    value_table,
)


def main() -> None:
    """Print the command timings, the two ratios, the tables of continuous constructions and subdivision."""
    commands.main()
    value_table.main()
    sampling.main([])
    executors.main()
    forward.main()
    continuous.main([])
    bent_kernels.main([])
    exponential_averages.main([])
    structure.main([])
    subdivision.main()
    linear_bounds.main()
    two_coordinates.main()
    if torch.cuda.is_available():
        gpu.main([])


if __name__ == "__main__":
    main()
