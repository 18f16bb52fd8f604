"""Certified runs hold when files are read, networks evaluated and targets understood by other code than the project's."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.clean_room.exact_network import exact_network
from tests.clean_room.judge import UNSEEN, high
from tests.clean_room.modules import HEADS, Module
from tests.clean_room.places import Places
from tests.clean_room.runs import Case, build, objections
from tests.clean_room.stored_files import read
from tests.clean_room.target_value import Target


def grid(target: str, eps: str, n: int, *more: str) -> Case:
    """A discretised construction, about one length."""
    return Case(f"grid {target}", ("--target", target, "--eps", eps, "--n", str(n), "--method", "grid", *more), (n,))


def continuous(target: str, eps: str, lengths: tuple[int, ...], *more: str) -> Case:
    """Lengths after the first are other ones, which a claim about every n covers."""
    method = () if "--method" in more else ("--method", "sum-decomposition")
    return Case(f"continuous {target}", ("--target", target, "--eps", eps, "--n", str(lengths[0]), *method, *more), lengths)


CASES = (
    grid("x*mean(y)", "1/4", 2),
    grid("f", "1/4", 3, "--precision", "float32", "--linformer-k", "2"),
    grid("mean(y)", "1/4", 16, "--code", "positional"),
    grid("(mean(y[0]*x[1]), max(y[0])/n)", "1", 2, "--d", "2", "--domain", "-1,1;0,2", "--code", "packed"),
    grid("max(y)", "1/41", 3, "--code", "positional", "--architecture", "sumformer"),
    grid("x*mean(y)-i/n", "1/2", 4, "--positional"),
    continuous("f", "1e-1", (2, 64)),
    continuous("-minimum(x,mean(y))**2/2+relu(x-0.3)", "1/10", (3, 2, 64), "--performer-features", "3"),
    continuous("max(y)-min(y)", "1/4", (3,)),
    continuous("moments", "1e-2", (3, 2)),
    continuous("x*mean(y)", "1e-2", (2, 64), "--precision", "float32"),
    continuous("mean(x[0]*y[1]**2)", "1e-1", (2, 64), "--d", "2", "--domain", "-1,1;0,2"),
    continuous("x*sqrt(mean(y**2))", "1e-1", (3, 64)),
    continuous("mean(y**3)**(1/3)-abs(x-mean(y))**0.7", "1e-1", (2, 64)),
    continuous("mean(y)*i/n", "1e-2", (4, 3), "--positional"),
    continuous("x**3*mean(y**2)", "1/10", (3,), "--method", "power-sums"),
    continuous("median", "1/4", (3,), "--method", "order-statistics", "--linformer-k", "2"),
)
Built = Callable[[Case], Path]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Run directories of cases, each built once."""
    known: dict[Case, Path] = {}

    def folder(case: Case) -> Path:
        if case not in known:
            known[case] = tmp_path_factory.mktemp("clean_room") / "run"
            assert build(case.arguments, known[case]) == 0
        return known[case]

    return folder


CASE = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@CASE
def test_no_sequence_contradicts_the_certified_bound(case: Case, built: Built) -> None:
    stored = read(built(case))
    assert stored.certificate["status"] == "certified"
    assert stored.certificate["claim"]["every_n"] == (len(case.lengths) > 1)
    for n in case.lengths:
        assert objections(stored, n, 2 if n == 64 else 4) == []


@CASE
def test_the_stored_modules_compute_the_network(case: Case, built: Built) -> None:
    """Of a grid bit for bit, of a continuous construction within the step "evaluation"; outputs stay within the bound."""
    stored = read(built(case))
    network, target, allowed = exact_network(stored), Target(stored.plan["expression"]), stored.evaluation()
    assert (allowed == 0) == (stored.plan["method"] == "grid")
    names = set(stored.network["architectures"])
    assert names == (set() if "sumformer" in case.arguments else set(HEADS))
    dtype = np.dtype("float64" if stored.plan["number_format"] == "exact" else stored.plan["number_format"])
    for n in case.lengths:
        modules = {name: Module(stored, name, dtype, n) for name in names}
        places = Places(stored, n, seed=1)
        for drawn in itertools.chain(places.plain(1), places.thresholds(1)):
            tokens = np.array(drawn, dtype=float).astype(dtype)
            exact = [[Fraction(float(value)) for value in token] for token in tokens]
            own = places.rng.randrange(n)
            wanted, sought = network(exact, own), target.high(exact, own)
            for name, module in modules.items():
                found = [Fraction(float(value)) for value in module(tokens)[own]]
                assert max(abs(a - b) for a, b in zip(found, wanted, strict=True)) <= allowed, name
                assert max(abs(high(a) - b) for a, b in zip(found, sought, strict=True)) <= high(stored.bound) + UNSEEN, name


@CASE
def test_the_network_is_the_one_that_the_project_evaluates(case: Case, built: Built) -> None:
    """In fractions on both sides, so equal."""
    from uat.stored_run import open_run

    stored, n = read(built(case)), case.lengths[-1]
    theirs, ours = open_run(built(case)).sumformer, exact_network(stored)
    for tokens in list(Places(stored, n, seed=2).plain(1))[-4:]:
        wanted = theirs(np.array(tokens, dtype=object))
        for own in (0, n - 1):
            assert list(wanted[own]) == ours(tokens, own)


@CASE
def test_a_weight_that_is_changed_by_much_is_noticed(case: Case, built: Built) -> None:
    """An output value of the lowest cell, or a bias of the readout, by three times the bound."""
    stored = read(built(case))
    steps = stored.network["format"] == "uat-network/1"
    name = f"nodes.{len(stored.network['nodes']) - 1}.values" if steps else "readout.b_out"
    array = stored.arrays[name].copy()
    array.ravel()[0] += 3 * float(stored.bound)
    damaged = replace(stored, arrays=stored.arrays | {name: array})
    assert objections(stored, case.lengths[0], 0) == []
    assert "> " + str(stored.bound) in objections(damaged, case.lengths[0], 0)[0]


@pytest.mark.parametrize("name", ["continuous max(y)-min(y)", "continuous moments", "grid x*mean(y)"])
def test_every_array_of_a_network_counts(name: str, built: Built) -> None:
    (case,) = (case for case in CASES if case.name == name)
    stored = read(built(case))
    for key, array in stored.arrays.items():
        if key.split(".")[0] in ("phi", "psi", "nodes", "readout") and array.any():
            damaged = replace(stored, arrays=stored.arrays | {key: array * 1.5})
            assert objections(damaged, case.lengths[0], 1) != [], key


@pytest.mark.parametrize("name", ["weights.safetensors", "exact.json", "network.json", "plan.json", "certificate.json"])
def test_a_changed_file_is_not_read(name: str, built: Built, tmp_path: Path) -> None:
    for path in built(CASES[0]).iterdir():
        content = path.read_bytes()
        if path.name == name:
            content = content.replace(b"certified", b"proved") if name == "certificate.json" else content[:-1] + b" "
        (tmp_path / path.name).write_bytes(content)
    with pytest.raises(ValueError, match=name):
        read(tmp_path)


def test_a_module_with_other_weights_is_noticed(built: Built) -> None:
    case = next(case for case in CASES if case.name == "continuous x*mean(y)")
    stored = read(built(case))
    tokens = np.array([[0.25], [0.75]])
    (wanted,) = exact_network(stored)([[Fraction(1, 4)], [Fraction(3, 4)]], 1)
    for name in HEADS:
        for part in ("attention.W_V", "embed.weight", "readout.weight"):
            key = next(key for key in stored.arrays if key.startswith(f"{name}.") and key.endswith(part))
            damaged = replace(stored, arrays=stored.arrays | {key: stored.arrays[key] * 2})
            assert abs(Fraction(float(Module(damaged, name)(tokens)[1, 0])) - wanted) > stored.evaluation()
