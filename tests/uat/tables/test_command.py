"""``uat tables``: what is printed and written, what is refused, and that records print the same tables again."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from constructions.errors import BadInput
from tests.uat.conftest import Uat
from uat.files import replace_file
from uat.tables import command
from uat.tables.catalogue import KINDS

RECORDS = str(Path(__file__).parent / "records")
PAGE = Path(__file__).parents[3] / "docs" / "tables.md"


def test_without_a_name_the_tables_are_listed(uat: Uat) -> None:
    answer = uat("tables")
    assert answer.code == 0
    assert all(name in answer.out for name in KINDS)
    assert [row["name"] for row in uat("tables", "--json").json["tables"]] == list(KINDS)


@pytest.mark.parametrize(("arguments", "said"), [
    (("tables", "bugdet"), "budget"), (("tables", "codes", "--format", "tex"), "latex"),
    (("tables", "codes", "--profile", "fats"), "fast"),
    (("tables", "codes", "--records", "nowhere"), "expected a folder of records"),
    (("tables", "codes", "--device", "gpu"), "cpu"), (("tables", "--records", "."), "there is no record there")])
def test_a_mistake_is_answered_with_what_was_expected(uat: Uat, arguments: tuple[str, ...], said: str) -> None:
    answer = uat(*arguments)
    assert answer.code == 2
    assert said in answer.message
    assert "Traceback" not in answer.err


def test_a_folder_of_records_prints_its_tables_and_tables_json_prints_them_again(uat: Uat, tmp_path: Path) -> None:
    assert uat("tables", "--records", RECORDS, "--out", "first").code == 0
    assert uat("tables", "--all", "--records", "first", "--out", "second").code == 0
    names = {file.name for file in (tmp_path / "first").iterdir()}
    assert names == {f"{name}.{ending}" for name in KINDS for ending in ("tex", "md", "csv")} | {"tables.json"}
    for name in names - {"tables.json"}:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    written = json.loads((tmp_path / "second" / "tables.json").read_text(encoding="utf-8"))
    assert written["tables"] == list(KINDS)
    assert written["records"]["check"]["made_by"]["date"] == "2026-11-25T00:00:00+00:00"


def test_the_files_that_were_written_are_named(uat: Uat, tmp_path: Path) -> None:
    arguments = ("tables", "codes", "cost", "--records", RECORDS, "--out", "out [b]")
    said = uat(*arguments).out
    assert said.splitlines() == [*(f"{name}: " + ", ".join(f"out [b]/{name}.{ending}" for ending in ("tex", "md", "csv"))
                                   for name in ("codes", "cost")), "records: out [b]/tables.json"]
    assert all((tmp_path / file).is_file() for file in re.findall(r"out \[b\]/[^,\n]+", said))
    assert "records" in uat(*arguments, "--json").json


def test_tables_of_an_earlier_call_stay_and_foreign_files_are_not_overwritten(uat: Uat, tmp_path: Path) -> None:
    assert uat("tables", "codes", "--records", RECORDS, "--out", "out", "--format", "csv").code == 0
    before = (tmp_path / "out" / "codes.csv").read_bytes()
    assert uat("tables", "steps", "--records", RECORDS, "--out", "out", "--format", "csv").code == 0
    assert (tmp_path / "out" / "codes.csv").read_bytes() == before
    assert set(json.loads((tmp_path / "out" / "tables.json").read_text(encoding="utf-8"))["records"]) == {"codes", "check"}
    (tmp_path / "out" / "budget.csv").write_text("mine", encoding="utf-8")
    answer = uat("tables", "budget", "--records", RECORDS, "--out", "out", "--format", "csv")
    assert answer.code == 2
    assert "budget.csv is there already" in answer.message
    assert (tmp_path / "out" / "budget.csv").read_text(encoding="utf-8") == "mine"


def test_a_foreign_file_is_seen_before_anything_is_computed(uat: Uat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def computed(*arguments: object) -> None:
        raise AssertionError("a record was computed")

    monkeypatch.setattr(command, "gathered", computed)
    (tmp_path / "codes.csv").write_text("mine", encoding="utf-8")
    assert "codes.csv is there already" in uat("tables", "codes", "--out", ".").message


def test_a_call_that_could_not_write_every_table_is_made_good_by_the_next(uat: Uat, tmp_path: Path,
                                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: str) -> None:
        if path.suffix == ".md":
            raise BadInput("the disk is full")
        replace_file(path, content)

    arguments = ("tables", "codes", "--records", RECORDS, "--out", "out")
    with monkeypatch.context() as patch:
        patch.setattr(command, "replace_file", full)
        assert uat(*arguments).code == 2
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["codes.tex", "tables.json"]
    assert uat("tables", "codes", "--records", "out", "--out", "out").code == 0
    assert (tmp_path / "out" / "codes.md").is_file()


def test_a_format_without_a_folder_goes_to_the_terminal(uat: Uat) -> None:
    assert uat("tables", "codes", "--records", RECORDS, "--format", "latex").out.startswith("% uat tables: codes\n")
    table = uat("tables", "error", "--records", RECORDS)
    assert table.code == 0
    assert "sum-decomposition" in table.out
    assert "\\" not in table.out


def test_a_table_without_a_record_is_refused_by_name_and_said_in_all(uat: Uat, tmp_path: Path,
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    from constructions.errors import Refused

    def refuses(*arguments: object, **options: object) -> None:
        raise Refused("nothing can be timed here")

    monkeypatch.setattr("uat.benchmarks.measure", refuses)
    named = uat("tables", "cost")
    assert named.code == 1
    assert "nothing can be timed here" in named.err
    assert "nothing can be timed here" in named.out
    assert "python -m uat bench" in " ".join(named.out.split())
    shutil.copytree(RECORDS, tmp_path / "some")
    (tmp_path / "some" / "bench.json").unlink()
    assert uat("tables", "--all", "--records", "some", "--out", "out").code == 0
    assert "nothing can be timed here" in (tmp_path / "out" / "cost.tex").read_text(encoding="utf-8")


def test_a_bound_that_a_sample_contradicts_ends_in_exit_code_1(uat: Uat, tmp_path: Path) -> None:
    record = json.loads((Path(RECORDS) / "constructions.json").read_text(encoding="utf-8"))
    record["runs"][0] |= {"status": "refuted", "reason": "a sampled error exceeds the bound", "certified_bound_exact": None}
    (tmp_path / "constructions.json").write_text(json.dumps(record), encoding="utf-8")
    answer = uat("tables", "error", "--records", ".")
    assert answer.code == 1
    assert "a sampled error exceeds the bound" in answer.err


@pytest.mark.slow
def test_the_article_of_the_page_compiles_and_nothing_sticks_out(uat: Uat, tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed")
    assert uat("tables", "--records", RECORDS, "--out", "appendix").code == 0
    found = re.search(r"```latex\n(\\documentclass.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    assert set(re.findall(r"\\input\{appendix/([a-z-]+)\}", found[1])) == set(KINDS)
    (tmp_path / "article.tex").write_text(found[1], encoding="utf-8")
    for _ in range(3):  # longtable finds its widths in the second run
        run = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "article.tex"], cwd=tmp_path,
                             capture_output=True, text=True, check=False, errors="replace")
        assert run.returncode == 0, run.stdout[-2000:]
    assert "Overfull" not in run.stdout
    assert "undefined" not in run.stdout
    assert (tmp_path / "article.pdf").stat().st_size > 50_000
