"""The tables of docs/experiments.md are those of the records in docs/records, which `python -m uat experiment NAME` wrote."""

from __future__ import annotations

import re
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from proofs_check.decimals import decimal_above, decimal_below
from uat.records import read_record

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "experiments.md").read_text(encoding="utf-8")
NAMES = ("figure-1", "figure-2", "train-versus-construct", "length")


def rows(name: str) -> list[dict[str, Any]]:
    """Return the rows of a record (learning curves left out of it)."""
    listed: list[dict[str, Any]] = read_record(DOCS / "records" / f"experiment-{name}.json", "experiment")["rows"]
    return listed


def cells(first: str) -> list[list[str]]:
    """Return the lines of the page's tables that begin with a pattern, cut into cells."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if re.match(first, line)]


def shown(text: str, value: float) -> bool:
    """Say whether a cell is a value, rounded to as many digits as it has."""
    return float(text) == float(f"{value:.{digits_of(text)}g}")


def found(text: str, value: float) -> bool:
    """Say whether a cell is an error that occurs, rounded down."""
    return float(text) == float(decimal_below(Fraction(value), digits_of(text)))


def proved(text: str, value: float) -> bool:
    """Say whether a cell is a bound, rounded up; the record has a decimal."""
    return float(text) == float(decimal_above(Fraction(str(value)), digits_of(text)))


def digits_of(text: str) -> int:
    """Count significant digits."""
    return len(re.sub(r"e.*|^0\.0*|\.", "", text).lstrip("0")) or 1


def test_a_changed_digit_is_noticed() -> None:
    assert found("0.0220", 0.02209)
    assert not found("0.0221", 0.02209)
    assert proved("9.80e-07", 9.79229e-07)
    assert not proved("9.79e-07", 9.79229e-07)
    assert shown("0.0221", 0.02214)
    assert not shown("0.0222", 0.02214)
    assert shown("5.52e-05", 5.516e-5)
    assert not shown("5.52e-06", 5.516e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_page_names_the_command_of_each_record(name: str) -> None:
    record = read_record(DOCS / "records" / f"experiment-{name}.json", "experiment")
    assert record["made_by"]["command"] == f"python -m uat experiment {name}"
    assert f"`{record['made_by']['command']}`" in PAGE


def test_figure_1_is_that_of_the_record() -> None:
    known = {(row["target"], row["model"]): row for row in rows("figure-1")}
    table = [line for line in cells(r"\| `[\w-]+` \| [\d.]+ / ") if len(line) == 4]
    assert len(table) == 4
    for target, polynomial, mlp, rms in table:
        for model, cell in (("polynomial", polynomial), ("mlp", mlp)):
            row = known[target.strip("`"), model]
            relative, worst = cell.split(" / ")
            assert shown(relative, row["relative_l2"])
            assert found(worst, row["sup_error"])
            assert shown(rms, row["rms"])


def test_figure_2_is_that_of_the_record() -> None:
    known = {(row["d"], row["model"], row["d_latent"]): row["relative_l2"] for row in rows("figure-2")}
    table = cells(r"\| \d+ \| (polynomial|mlp) \|")
    assert len(table) == 12
    for d, model, *errors, _ in table:
        for d_latent, error in zip((1, 2, 4, 8, 16, 32), errors, strict=True):
            assert shown(error, known[int(d), model, d_latent]), (d, model, d_latent)
    above = [row for row in rows("figure-2") if row["d_latent"] < row["d"]]
    assert f"never below {decimal_below(Fraction(min(row['sup_error'] for row in above)), 3)}" in PAGE


def test_constructed_networks_are_those_of_the_record() -> None:
    known = {(row["target"], row["eps"]): row for row in rows("train-versus-construct") if row["model"] == "constructed"}
    table, target = [], ""
    lines = [line for line in cells(r"\| (`[\w-]+`)? ?\|? ?(constructed|polynomial)") if len(line) == 6]
    for name, network, seconds, worst, certified, relative in lines:
        target = name.strip("`") or target
        if network.startswith("constructed"):
            table.append((target, network.rpartition(" ")[2], seconds, worst, certified, relative))
    assert len(table) == len(known) == 4
    for target, eps, seconds, worst, certified, relative in table:
        row = known[target, eps]
        assert found(worst, row["sup_error"])
        assert shown(relative, row["relative_l2"])
        assert proved(certified, row["certified"])
        assert abs(float(seconds) - row["seconds"]) <= 0.06


def test_trained_networks_are_those_of_the_record() -> None:
    known = {(row["target"], row["against_eps"], row["model"]): row for row in rows("train-versus-construct")}
    target, eps, seen = "", None, 0
    for name, network, seconds, worst, certified, relative in (line for line in cells(r"\| ") if len(line) == 6):
        target = name.strip("`") or target
        if network.startswith("constructed"):
            eps = network.rpartition(" ")[2]
        if not network.startswith("polynomial / mlp"):
            continue
        polynomial, mlp = (known[target, None if "longer" in network else eps, model] for model in ("polynomial", "mlp"))
        assert abs(float(seconds) - polynomial["seconds"]) <= 0.06
        for row, error, measure in zip((polynomial, mlp), worst.split(" / "), relative.split(" / "), strict=True):
            assert found(error, row["sup_error"])
            assert shown(measure, row["relative_l2"])
        assert certified.split(" / ")[0] == "-"
        assert polynomial["certified"] is None
        assert proved(certified.split(" / ")[1], mlp["certified"])
        seen += 1
    assert seen == sum(row["model"] == "mlp" for row in rows("train-versus-construct"))


def test_errors_at_greater_lengths_are_those_of_the_record() -> None:
    known = {(row["model"], row["n"]): row["largest_error"] for row in rows("length") if row["task"] == "f"}
    table = [line for line in cells(r"\| (constructed|Transformer|Performer|Linformer|Sumformer)") if len(line) == 7]
    assert len(table) == 5
    assert proved(table[0][-1], next(row["certified"] for row in rows("length") if row["model"] == "constructed"))
    for model, *errors, _ in table:
        for n, error in zip((8, 16, 64, 512, 4096), errors, strict=True):
            assert found(error, known[model.partition(",")[0].lower(), n]), (model, n)


@pytest.mark.parametrize("name", NAMES)
def test_the_finding_is_that_of_the_rows(name: str) -> None:
    module = import_module(f"uat.experiments.{name.replace('-', '_')}")
    assert module.finding(rows(name)) == read_record(DOCS / "records" / f"experiment-{name}.json", "experiment")["finding"]
