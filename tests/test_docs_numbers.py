"""Figures in docs/ and README.md that do not depend on the machine are those of the code.

README's console blocks and the pages of docs/how-to are run as a whole (test_readme.py, uat/test_docs_pages.py). Times, speeds
and sampled errors are records of a machine and a day, and are named so where they stand.
"""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

from constructions.construct import plan
from constructions.continuous import compile_target
from constructions.errors import Refused
from constructions.pooling import ARCHITECTURES, pooling_head
from constructions.targets.library import resolve
from proofs_check.steps import all_steps
from tests.benchmarks import structure
from tests.benchmarks.printed import above
from uat.command_reference import page

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "docs/benchmarks.md")
README, BENCHMARKS = ((ROOT / name).read_text(encoding="utf-8") for name in PAGES)
# target, eps, non-zero, d', depth, the builder's bound: the first table of tests.benchmarks.continuous
SIZES = re.findall(r"^([\w-]+) +(1e-0\d) +([\d,]+) +[\d-]+ +(\d+) +(\d+) +([\d.e-]+) +[\d.e-]+ +[\d.e-]+ +[\d.]+ +[\d.]+ +"
                   r"[\d.]+ s   (every n|n = 3)$", BENCHMARKS, re.MULTILINE)
# target, eps, non-zero, builder, structure: the table of tests.benchmarks.structure
PROVED_ROW = re.compile(r"(?m)^([\w-]+) +(1e-\d) +([\d,]+) +([\d.e-]+) +([\d.e-]+) +[\d.]+ +[\d.]+ s +[\d.]+ s   algebra$")
PROVED = PROVED_ROW.findall(BENCHMARKS)
TABLES = re.findall(r"uat construct --target (\S+) --eps (\S+) --n (\d) --d (\d) --method grid\n +table (\d+) predicted",
                    BENCHMARKS)
QUICK = {("own-times-mean", "1e-02"), ("f", "1e-02"), ("f", "1e-04"), ("kernel-density", "1e-02"), ("moments", "1e-06"),
         ("max", "1e-02"), ("own-times-mean", "1e-2"), ("own-times-mean", "1e-6"), ("moments", "1e-4")}


def recompiled(name: str, eps: str) -> tuple[str, str, str, str, str]:
    """Return a row of the first table as the code gives it."""
    decomposition, compiled = compile_target(resolve(name, n=None, d=None, domain="0,1"), Fraction(eps), "sum-decomposition")
    network = compiled.sumformer
    return (f"{network.n_nonzero:,}", str(network.d_latent), str(network.depth), above(compiled.bound),
            "every n" if decomposition.every_n else "n = 3")


def reproved(name: str, eps: str) -> tuple[str, ...]:
    """Return a row of the second table as the benchmark prints it now."""
    (found,) = PROVED_ROW.findall(structure.row(name, eps))
    return tuple(found[2:])


def rows(found: list[tuple[str, ...]]) -> list[ParameterSet]:
    """Return parameters, those that take long marked as slow."""
    return [pytest.param(row, id="-".join(row[:2]), marks=() if row[:2] in QUICK else pytest.mark.slow) for row in found]


@pytest.mark.parametrize("row", rows(SIZES))
def test_sizes_and_bounds_of_continuous_constructions_are_current(row: tuple[str, ...]) -> None:
    name, eps, *shown = row
    assert recompiled(name, eps) == tuple(shown)


@pytest.mark.parametrize("row", rows(PROVED))
def test_bounds_by_structure_are_current(row: tuple[str, ...]) -> None:
    name, eps, *shown = row
    assert reproved(name, eps) == tuple(shown)


@pytest.mark.parametrize("row", TABLES, ids=lambda row: "-".join(row[:3]))
def test_table_sizes_of_grids_are_current(row: tuple[str, ...]) -> None:
    name, eps, n, d, entries = row
    target = resolve(name, n=int(n), d=int(d), domain="0,1")
    planned = plan(target, Fraction(eps), [pooling_head(architecture) for architecture in ARCHITECTURES])
    assert planned.table_entries == int(entries)


def test_the_tables_are_found_and_refusals_are_still_refused() -> None:
    assert (len(SIZES), len(PROVED), len(TABLES)) == (25, 26, 5)
    assert {row[:2] for row in SIZES + PROVED} >= QUICK
    refused = re.findall(r"^([\w-]+) +(1e-0\d)  refused: order\(1\) to within \S+ needs a thermometer of (\d+)", BENCHMARKS,
                         re.MULTILINE)
    assert len(refused) == 2
    for name, eps, channels in refused:
        with pytest.raises(Refused, match=f"thermometer of {channels} channels"):
            compile_target(resolve(name, n=None, d=None, domain="0,1"), Fraction(eps), "sum-decomposition")


def test_the_steps_that_readme_counts_are_those_that_run() -> None:
    steps = all_steps()
    expected = Counter(step.expected.value for step in steps.values())
    counts = re.findall(r"(\d+) steps: (\d+) proved, (\d+) assumed, (\d+) refuted", README)
    assert (str(len(steps)), *(str(expected[name]) for name in ("proved", "assumed", "refuted"))) in counts
    assert f"{len(steps)} statements" in README


def test_the_command_reference_is_current() -> None:
    """Print it again with ``python -m uat.command_reference docs/commands.md``."""
    assert (ROOT / "docs" / "commands.md").read_text(encoding="utf-8") == page()
