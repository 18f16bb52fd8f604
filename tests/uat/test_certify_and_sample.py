"""uat certify and uat sample: what a run directory proves, and what is no run directory or was changed."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from proofs_check import executors, shared_work
from proofs_check.executors import ALONE
from tests.proofs_check.test_run_files import edit, rehash, written
from tests.uat.conftest import Uat


@pytest.mark.parametrize("command", ["certify", "sample"])
def test_a_callable_that_a_run_names_is_not_imported_without_the_users_word(command: str, uat: Uat, tmp_path: Path) -> None:
    edit(written(tmp_path / "run"), "plan.json", lambda plan: plan.update(callable=True, expression="this_module_raises:f"))
    rehash(tmp_path / "run")
    (tmp_path / "this_module_raises.py").write_text("raise SystemExit('imported')")
    answer = uat(command, "run")
    assert answer.code == 2
    assert "--import-callable" in answer.message
    assert "this_module_raises" not in sys.modules


def test_an_interrupted_sample_says_the_worst_error_so_far_and_leaves_with_130(
        uat: Uat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def counted(report: object, stage: str, total: int) -> Callable[[int], None]:
        def more(count: int) -> None:
            raise KeyboardInterrupt
        return more

    written(tmp_path / "run")
    monkeypatch.setattr("uat.sampling.counting", counted)
    shown = uat("sample", "run", "--samples", "300000000", "--executor", "here")
    assert shown.code == 130
    assert shown.out.startswith("interrupted: sampled ")
    assert "sandwich: sampled 0." in shown.out
    assert re.fullmatch(r"interrupted: this is the worst error of the first [\d,]+ sequences", shown.message)
    found = uat("sample", "run", "--samples", "300000000", "--executor", "here", "--json")
    assert found.code == 130
    assert found.json["interrupted"] is True
    assert found.json["sampled_max"] > 0
    assert 0 <= found.json["samples"] < 10**7


@pytest.mark.parametrize("command", ["certify", "sample"])
def test_what_is_no_run_directory_is_bad_input(command: str, uat: Uat, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("text")
    for place in ("nowhere", "empty", "file", "x" * 300, ""):
        answer = uat(command, place)
        assert answer.code == 2
        assert "not a run directory" in answer.message
    missing = uat(command)
    assert missing.code == 2
    assert "missing argument" in missing.message.lower()


@pytest.mark.parametrize("command", ["certify", "sample"])
@pytest.mark.parametrize("name", ["weights.safetensors", "exact.json", "network.json", "plan.json", "certificate.json"])
def test_a_changed_byte_is_refused_by_name(command: str, name: str, uat: Uat, tmp_path: Path) -> None:
    run = written(tmp_path / "run")
    content = (run / name).read_bytes()
    changed = content.replace(b"mean", b"max ", 1) if b"mean" in content else content + b"\n"
    (run / name).write_bytes(changed)
    answer = uat(command, "run")
    assert answer.code == 1
    assert f"refused: run/{name}: changed since" in answer.message


@pytest.mark.parametrize("command", ["certify", "sample"])
@pytest.mark.parametrize(("name", "change"), [
    ("plan.json", lambda document: []), ("network.json", lambda document: []),
    ("network.json", lambda document: document.update(nodes=None)), ("plan.json", lambda document: document.update(n="many")),
    ("plan.json", lambda document: document.update(domain=[["0", "1/0"]])),
    ("plan.json", lambda document: document.update(domain=[[0, float("inf")]])),
    ("plan.json", lambda document: document.update(expression="x +")),
    ("certificate.json", lambda document: document.update(claim=3)),
    ("certificate.json", lambda document: document["claim"].update(bound=float("inf"))),
    ("network.json", lambda document: document["nodes"][0].update(reads=[["x.0", 1, 2]])),
    ("network.json", lambda document: document["nodes"].append(3)),
    ("network.json", lambda document: document["phi"].update(nodes="two")),
])
def test_a_run_whose_description_makes_no_sense_is_bad_input_even_with_fitting_hashes(
        command: str, name: str, change: Callable[[Any], Any], uat: Uat, tmp_path: Path) -> None:
    edit(written(tmp_path / "run"), name, change)
    rehash(tmp_path / "run")
    answer = uat(command, "run")
    assert answer.code == 2, answer
    assert answer.err.startswith("error: ")
    assert "Traceback" not in answer.err


def test_a_newer_format_is_bad_input(uat: Uat, tmp_path: Path) -> None:
    edit(written(tmp_path / "run"), "certificate.json", lambda document: document.update(format="uat-certificate/2"))
    answer = uat("certify", "run")
    assert answer.code == 2
    assert "a newer uat may have written it" in answer.message


def damage_table(run: Path, amount: float) -> None:
    """Move one table value and make the hashes fit again."""
    from safetensors.numpy import load_file, save_file

    arrays = load_file(run / "weights.safetensors")
    arrays["nodes.3.values"][40] += amount
    save_file(arrays, run / "weights.safetensors")
    rehash(run)


def test_a_damaged_table_with_fitting_hashes_is_refuted_by_sampling_and_not_certified(uat: Uat, tmp_path: Path) -> None:
    damage_table(written(tmp_path / "run"), 2.0)
    sampled = uat("sample", "run", "--samples", "5000", "--json")
    assert sampled.code == 1
    assert sampled.json["refutes"]
    assert sampled.json["sampled_max"] > Fraction(sampled.json["certified_bound_exact"])
    shown = uat("sample", "run", "--samples", "5000")
    assert shown.code == 1
    assert "refuted" in shown.out
    assert "witness" in shown.out
    certified = uat("certify", "run", "--json")
    assert certified.code == 1
    assert certified.json["certified_bound"] is None
    assert certified.json["status"] == "undecided"


@pytest.mark.parametrize("change", [
    lambda claim: claim.update(domain=[["0", "2"]]), lambda claim: claim.update(expression="x*mean(y)+1"),
    lambda claim: claim.update(target="f")])
def test_a_claim_about_something_else_is_not_compared_with_what_is_found(
        change: Callable[[Any], Any], uat: Uat, tmp_path: Path) -> None:
    edit(written(tmp_path / "run"), "certificate.json", lambda document: change(document["claim"]))
    rehash(tmp_path / "run")
    answer = uat("sample", "run", "--samples", "500")
    assert answer.code == 2
    assert "about another target or domain" in answer.message
    assert "certified" not in answer.out


@pytest.mark.parametrize(("made", "change"), [
    (("--method", "grid"), lambda network: network.update(outputs=[])),
    (("--method", "grid"), lambda network: network["nodes"][0].update(reads=[["x.0", 2]])),
    ((), lambda network: network.update(tokens=[])), ((), lambda network: network.update(tokens=["x.0", "x.1"]))])
def test_a_network_that_reads_or_writes_something_else_than_the_target_is_not_sampled(
        made: tuple[str, ...], change: Callable[[Any], Any], uat: Uat, tmp_path: Path) -> None:
    asked = ("construct", "--target", "1/2" if not made else "x*mean(y)", "--eps", "1/5", "--n", "2", "--samples", "0")
    assert uat(*asked, *made, "--out", "run").code == 0
    edit(tmp_path / "run", "network.json", change)
    rehash(tmp_path / "run")
    answer = uat("sample", "run", "--samples", "500")
    assert answer.code == 2, answer
    assert answer.err.startswith("error: ")
    assert "Traceback" not in answer.err


def test_a_search_in_processes_finds_what_threads_find(uat: Uat, monkeypatch: pytest.MonkeyPatch) -> None:
    uat("construct", "--target", "f", "--eps", "1e-1", "--samples", "0", "--out", "run")
    monkeypatch.setitem(ALONE, "proofs_check.sampling", 0.0)
    here, there = (uat("sample", "run", "--samples", "2000000", "--executor", name, "--json") for name in ("here", "processes:1"))
    assert here.code == there.code == 0
    assert all(here.json[entry] == there.json[entry] for entry in ("sampled_max", "witness", "own_token", "samples", "found_by"))


def test_construct_searches_in_processes_too_when_it_lasts(uat: Uat, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ("construct", "--target", "f", "--eps", "1e-1", "--samples", "2000000", "--json", "--out")
    here = uat(*asked, "here")
    monkeypatch.setitem(ALONE, "proofs_check.sampling", 0.0)
    used: list[bool] = []
    monkeypatch.setattr(shared_work, "at_hand", lambda executor: used.append(executor is not None) or executor)
    assert uat(*asked, "there").json["sample"]["witness"] == here.json["sample"]["witness"]
    assert used
    assert all(used)


@pytest.mark.parametrize(("name", "words"), [
    ("cloud", ["'cloud'", "processes:K"]), ("processes:0", ["'processes:0'", "processes:K"]),
    ("dask:tcp://127.0.0.1:1", ["dask:tcp://127.0.0.1:1", "no scheduler"])])
def test_an_executor_that_is_none_is_bad_input(name: str, words: list[str], uat: Uat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "ANSWER", 1.0)
    uat("construct", "--target", "f", "--eps", "1e-1", "--samples", "0", "--out", "run")
    answer = uat("sample", "run", "--samples", "10", "--executor", name)
    assert answer.code == 2
    assert all(word in answer.message for word in words), answer.message
