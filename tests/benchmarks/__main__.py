"""Everything docs/benchmarks.md records: ``python -m tests.benchmarks`` (several minutes on a quiet machine)."""

from __future__ import annotations

from tests.benchmarks import commands, continuous, linear_bounds, sampling, structure, subdivision, two_coordinates, value_table


def main() -> None:
    """Print the command timings, the two ratios, and the tables of continuous constructions and subdivision."""
    commands.main()
    value_table.main()
    sampling.main([])
    continuous.main([])
    structure.main([])
    subdivision.main()
    linear_bounds.main()
    two_coordinates.main()


if __name__ == "__main__":
    main()
