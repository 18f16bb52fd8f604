"""Everything docs/benchmarks.md records: ``python -m tests.benchmarks`` (about two minutes on a quiet machine)."""

from __future__ import annotations

from tests.benchmarks import commands, sampling, value_table


def main() -> None:
    """Print the command timings, then the two ratios."""
    commands.main()
    value_table.main()
    sampling.main([])


if __name__ == "__main__":
    main()
