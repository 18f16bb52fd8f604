"""Tables from fixed records, byte for byte, and records that contradict themselves.

The golden files are what ``python -m uat tables --records tests/uat/tables/records --out DIR`` writes.
"""

from __future__ import annotations

import copy
import csv
import json
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from constructions.errors import BadInput
from proofs_check.steps import all_steps
from uat.tables.catalogue import KINDS, chosen, sources
from uat.tables.records import read_folder
from uat.tables.writing import WRITERS

HERE = Path(__file__).parent
RECORDS = read_folder(HERE / "records", sources(list(KINDS.values())))
DOCS = Path(__file__).parents[3] / "docs"


def record_of(name: str) -> dict[str, Any]:
    return copy.deepcopy(RECORDS[KINDS[name].source.name])


@pytest.mark.parametrize("format_name", WRITERS)
@pytest.mark.parametrize("name", KINDS)
def test_a_fixed_record_prints_the_golden_text(name: str, format_name: str) -> None:
    ending, write = WRITERS[format_name]
    golden = (HERE / "golden" / f"{name}.{ending}").read_text(encoding="utf-8")
    assert write(KINDS[name].printed(record_of(name))) == golden


def test_printed_bounds_are_above_and_printed_errors_below_what_the_record_holds() -> None:
    runs = [run for run in record_of("error")["runs"] if run["status"] != "refused"]
    rows = KINDS["error"].printed(record_of("error")).rows
    assert len(rows) == len(runs)
    exact = {(run["target"], run["method"], run["eps"]): run for run in runs}
    for row in rows:
        run = exact[row[0].csv, row[1].csv, row[4].csv]
        for value in (row[5].plain, row[5].csv):
            assert Fraction(run["certified_bound_exact"]) <= Fraction(value)
        for value in (row[6].plain, row[6].csv):
            assert Fraction(value) <= Fraction(run["sampled_max"])
        assert Fraction(row[7].csv) >= Fraction(run["certified_bound_exact"]) / Fraction(run["sampled_max"])


def test_every_csv_has_one_name_a_column_and_as_many_fields_a_row() -> None:
    for name in KINDS:
        with (HERE / "golden" / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            head, *rows = csv.reader(file)
        assert len(set(head)) == len(head)
        assert rows
        assert {len(row) for row in rows} == {len(head)}


def test_the_errata_are_those_of_the_page_and_of_the_proof() -> None:
    page = set(re.findall(r"\{#(printed-[a-z0-9-]+)\}", (DOCS / "errata.md").read_text(encoding="utf-8")))
    steps = {step.id for step in all_steps().values() if step.corrects}
    assert {f"printed-{name.removeprefix('printed-')}" for name in steps} == page
    assert len(KINDS["errata"].printed(record_of("errata")).rows) == len(page)


def _one_index_more(record: dict[str, Any]) -> None:
    record["formulas"][0]["listed"] += 1


def _a_share_less(record: dict[str, Any]) -> None:
    run = next(run for run in record["runs"] if run["target"] == "f" and run["eps"] == "1e-2" and run["method"] != "grid")
    next(step for step in run["budget"] if Fraction(step["bound"]))["bound"] = "0"


def _a_correction_that_is_not_there(record: dict[str, Any]) -> None:
    record["steps"] = [step for step in record["steps"] if step["id"] != "linformer-pooling"]


def _no_rows(record: dict[str, Any]) -> None:
    del record["rows"]


@pytest.mark.parametrize(("name", "damage"), [("latent-dimension", _one_index_more), ("budget", _a_share_less),
                                              ("errata", _a_correction_that_is_not_there), ("codes", _no_rows),
                                              ("training", _no_rows), ("cost", _no_rows)])
def test_a_damaged_record_is_refused_and_named(name: str, damage: Callable[[dict[str, Any]], None]) -> None:
    record = record_of(name)
    damage(record)
    with pytest.raises(BadInput, match=f"table {name}: its record, {KINDS[name].source.format}, is damaged"):
        KINDS[name].printed(record)


def test_what_is_not_as_expected_is_marked_and_named() -> None:
    record = record_of("steps")
    record["steps"][0]["status"] = "undecided"
    assert "(!)" in KINDS["steps"].printed(record).rows[0][1].plain
    assert KINDS["steps"].source.problems(record) == [f"{record['steps'][0]['id']}: undecided, expected "
                                                      f"{record['steps'][0]['expected']}"]
    runs = record_of("error")
    runs["runs"][0] |= {"status": "refuted", "reason": "a sampled error exceeds the bound", "certified_bound_exact": None}
    assert len(KINDS["error"].source.problems(runs)) == 1
    assert "refuted" in KINDS["error"].printed(runs).rows[0][5].plain
    assert all("0.0892" not in row[5].plain for row in KINDS["error"].printed(runs).rows)


def test_an_unknown_table_is_answered_with_the_known_ones() -> None:
    with pytest.raises(BadInput, match=r"'bugdet': .*budget"):
        chosen(["bugdet"])


def test_a_table_without_a_record_says_how_to_make_one_in_every_format() -> None:
    absent = KINDS["cost"].absent("it was not measured")
    for _, write in WRITERS.values():
        assert "python -m uat bench" in write(absent).replace("{}", "")
        assert "it was not measured" in write(absent)


def test_the_command_that_made_a_record_can_be_copied_from_every_text_file() -> None:
    record = record_of("codes")
    record["made_by"]["command"] = "python -m uat tables --all --out 'a--b -->'"
    table = KINDS["codes"].printed(record)
    assert re.search(r"^% uat-codes/1 .*: python -m uat tables --all --out 'a--b -->'$", WRITERS["latex"][1](table), re.MULTILINE)
    comment = re.search(r"^<!-- (.*?)-->$", WRITERS["markdown"][1](table), re.MULTILINE)
    assert comment is not None
    assert comment[1].rstrip().endswith("python -m uat tables --all --out 'a--b -- >'")


def test_options_in_a_note_stay_two_dashes_in_print() -> None:
    note = KINDS["cost"].absent("beyond --max-latent 3---5, $-1--2$")
    assert "beyond -{}-max-latent 3-{}-{}-5, $-1--2$" in WRITERS["latex"][1](note)
    assert "python -m uat bench -{}-out FOLDER" in WRITERS["latex"][1](note)
    assert "python -m uat bench --out FOLDER" in WRITERS["markdown"][1](note)
    assert "python -m uat bench --out FOLDER" in WRITERS["csv"][1](note)


def test_two_records_of_one_kind_are_not_guessed_between(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps(record_of("codes")), encoding="utf-8")
    with pytest.raises(BadInput, match=r"a\.json and b\.json are both records of codes"):
        read_folder(tmp_path, sources(list(KINDS.values())))
