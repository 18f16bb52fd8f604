"""More runs than the fast tests have time for: the library, small tolerances, targets put together at random."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.clean_room.runs import build, objections
from tests.clean_room.stored_files import read

pytestmark = pytest.mark.slow

LIBRARY = (("f", "1e-3", 3), ("f", "1e-6", 3), ("own-times-mean", "1e-6", 2), ("standardise", "1e-3", 4),
           ("kernel-density", "1e-2", 3), ("soft-rank", "1e-2", 3), ("max", "1e-2", 5), ("range", "1e-2", 4),
           ("median", "1e-2", 5), ("smooth-maximum", "1e-4", 3), ("gravity-2d", "1", 2),
           ("figure-2", "1e-4", 3), ("obstruction", "1e-2", 3), ("moments", "1e-6", 3), ("(x-mean(y))**2", "1e-6", 3))
GRIDS = (("f", "1e-2", 3), ("standardise", "1/4", 3), ("median", "1/20", 5), ("gravity-2d", "1", 2), ("obstruction", "1/4", 3),
         ("exp(-x*max(y))*pi", "1/20", 2), ("mean(y)", "1/4", 64))


def judged(arguments: tuple[str, ...], lengths: tuple[int, ...], count: int, codes: tuple[int, ...] = (0,)) -> None:
    """Nothing contradicts the bound of a run, where the project builds one; 1 is a refusal, where that is an answer as well."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        code = build(arguments, out)
        assert code in codes
        if code == 0:
            stored = read(out)
            for n in lengths if stored.certificate["claim"]["every_n"] else lengths[:1]:
                assert objections(stored, n, count) == []


@pytest.mark.parametrize(("target", "eps", "n"), LIBRARY)
def test_continuous_constructions(target: str, eps: str, n: int) -> None:
    judged(("--target", target, "--eps", eps, "--n", str(n), "--method", "sum-decomposition"), (n, 2, 17), 6)


@pytest.mark.parametrize(("target", "eps", "n"), GRIDS)
@pytest.mark.parametrize("code", ["auto", "packed"])
def test_grids(target: str, eps: str, n: int, code: str) -> None:
    judged(("--target", target, "--eps", eps, "--n", str(n), "--method", "grid", "--code", code), (n,), 40)


TERMS = st.sampled_from([
    "x", "x**2", "mean(y)", "mean(y**2)", "x*mean(y)", "sin(2*x)", "exp(-x*mean(y))", "mean(sin(x*y))", "tanh(x+mean(y))",
    "abs(x-mean(y))", "minimum(x, 0.3)", "maximum(mean(y), x)", "max(y)", "min(x*y)", "order(2)", "sqrt(1+mean(y**2))",
    "relu(x-mean(y))", "1/(2+cos(mean(y)))", "mean(exp(x*y)*y)/mean(exp(x*y))", "mean((y-mean(y))**2)", "sigmoid(3*x-1)",
    "log(2+mean(y*y))", "x*x*x", "pi/n"])
TARGETS = st.lists(st.tuples(st.sampled_from(["1", "-2", "0.5", "-1/3", "3"]), TERMS), min_size=1, max_size=3).map(
    lambda parts: " + ".join(f"({factor})*{term}" for factor, term in parts))


METHODS = st.sampled_from(["auto", "sum-decomposition", "grid", "power-sums", "order-statistics"])
DOMAINS = st.sampled_from(["0,1", "-1,1", "0.1,0.7", "-1,1/3"])


@given(TARGETS, st.sampled_from(["1e-1", "3e-2", "1e-3"]), st.integers(2, 4), DOMAINS, METHODS,
       st.sampled_from(["float64", "float32"]))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_targets(target: str, eps: str, n: int, domain: str, method: str, precision: str) -> None:
    judged(("--target", target, "--eps", eps, "--n", str(n), "--domain", domain, "--method", method, "--precision", precision,
            "--max-table", "200000", "--max-latent", "300"), (n, 2, 9), 3, (0, 1))
