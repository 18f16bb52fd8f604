"""What computes the records: real runs, small ones."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from constructions.encodings.power_sums import needed_dimension
from constructions.progress import silent
from uat.tables.kinds import error
from uat.tables.records import as_read, gathered
from uat.tables.sources import check, codes, constructions, dimensions, planned_dimensions
from uat.tables.sources.source import Settings

SMALL = {"samples": 500, "max_table": 2**12, "max_latent": 64}


@pytest.mark.usefixtures("one_torch_thread")
def test_a_run_of_construct_is_certified_sampled_and_repeatable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(constructions.EPS, "fast", ("1/4",))
    monkeypatch.setitem(constructions.LIMITS, "fast", SMALL)
    monkeypatch.setattr(constructions, "LIBRARY", {name: constructions.LIBRARY[name] for name in ("own-times-mean",)})
    records = gathered([constructions.SOURCE], {}, Settings(), silent)
    record = records.found["constructions"]
    assert record["format"] == "uat-constructions/1"
    assert constructions.problems(record) == []
    built = [run for run in record["runs"] if run["status"] != "refused"]
    assert {run["method"] for run in built} >= {"grid", "sum-decomposition", "power-sums"}
    for run in built:
        assert Fraction(run["sampled_max"]) <= Fraction(run["certified_bound_exact"]) <= Fraction(1, 4)
        assert run["command"].startswith("python -m uat construct --target own-times-mean --eps 1/4 --method ")
        assert "--seed 0" in run["command"]
    assert len(error.table(record).rows) == len(built)


def test_a_construction_that_does_not_apply_is_recorded_with_the_reason() -> None:
    run = constructions.run("f", "1e-1", "power-sums", Settings(), **SMALL)
    assert run["status"] == "refused"
    assert "not a polynomial" in run["reason"]


def test_no_code_has_fewer_bits_than_the_information_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(codes.CELLS, "fast", (4, 16))
    rows = codes.collect(Settings(), silent)["rows"]
    assert len(rows) == 2 * len(codes.LENGTHS)
    for row in rows:
        exact = math.log2(math.comb(row["cells"] + row["n"] - 2, row["n"] - 1))
        assert exact - 0.1 - 1e-9 < row["information_bits_tenths"] / 10 <= exact + 1e-9
        assert all(row[name]["bits"] >= exact for name in ("positional", "bose-chowla", "packed"))


def test_a_bound_of_bits_is_at_least_the_bits_that_a_tabulated_field_gives() -> None:
    tabulated, bounded = (codes._bose_chowla(16, 4, field, 64) for field in (2**18, 2))
    assert (tabulated["exact"], bounded["exact"]) == (True, False)
    assert bounded["bits"] >= tabulated["bits"]


def test_dimensions_agree_with_what_is_needed() -> None:
    row = dimensions._formulas(3, 10)
    assert (row["printed"], row["sharpened"], row["listed"], row["needed"]) == (285, 65, 65, needed_dimension(3, 10))
    assert "planned" not in dimensions.collect(Settings(), silent)  # planning every target takes most of a minute


def test_planned_dimensions_are_those_of_the_constructions() -> None:
    planned = planned_dimensions._planned("own-times-mean", 3, 1, "sum-decomposition")
    assert (planned["d_latent"], planned["every_n"]) == (1, True)
    refused = planned_dimensions._planned("f", 3, 1, "power-sums")
    assert refused["d_latent"] is None
    assert "not a polynomial" in refused["reason"]


def test_the_record_of_the_proof_has_the_rows_of_check(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("proofs_check.dag.proof_order", lambda steps: ["linformer-pooling", "printed-linformer-pooling"])
    record = as_read(check.collect(Settings(), silent))
    assert record["as_expected"]
    assert [row["status"] for row in record["steps"]] == ["proved", "refuted"]
    assert check.problems(record) == []
