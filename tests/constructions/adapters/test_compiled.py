"""The look-up evaluation equals the Sumformer at every float64, and refuses what machine arithmetic cannot hold."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.adapters import CompiledSumformer
from constructions.adapters.look_ups import Bins
from constructions.domains import Box
from constructions.errors import Refused
from constructions.moduli import derived
from constructions.network import Node, Staircase
from constructions.number_formats import FLOAT32, FLOAT64, NumberFormat
from constructions.planner import plan_grid
from constructions.sumformers import Sumformer
from constructions.sumformers.grid import construct_grid
from constructions.targets.library import resolve
from constructions.targets.target import Target

# target, eps, n, d, code, domain
CASES = (
    ("f", "1/50", 3, 1, "auto", "0,1"),
    ("f", "1/5", 3, 1, "packed", "0,1"),
    ("x*mean(y)", "1/20", 3, 1, "packed", "-1,2/3"),  # two channels: a binary search, and a pair of ranks
    ("x[0]*mean(y[1])", "1/2", 2, 2, "auto", "0,1"),
    ("moments", "1/10", 4, 1, "auto", "-1/3,1/7"),
    ("gravity-2d", "3/2", 2, 2, "auto", "-1/3,2/7"),
    ("5", "1/10", 2, 1, "auto", "0,1"),  # a single cell
)


pytestmark = pytest.mark.usefixtures("one_torch_thread")


def build(name: str, eps: str, n: int, d: int, code: str, domain: str,
          number_format: NumberFormat = FLOAT64, pooled: bool = True) -> tuple[Target, Sumformer]:
    target = resolve(name, n=n, d=d, domain=domain)
    assert isinstance(target, Target)
    plan = plan_grid(target.box, n, target.d_out, Fraction(eps), derived(target), roundings=2 * n + 30, code=code,
                     number_format=number_format, pooled_in_floats=pooled)
    return target, construct_grid(target, plan.grid, plan.code, plan.number_format).sumformer


def probes(target: Target, sumformer: Sumformer, count: int = 4000) -> np.ndarray:
    """Random, boundary (both sides), equal-token and corner sequences, shape (batch, n, d)."""
    rng = np.random.default_rng(0)
    columns = []
    for c in range(target.d):
        low, high = float(target.box.lower[c]), float(target.box.upper[c])
        node = next(node for node in sumformer.phi.nodes if node.reads == ((f"x.{c}", 1),))
        t = node.table.thresholds
        special = np.concatenate([t, np.nextafter(t, -np.inf), np.nextafter(t, np.inf), [low, high]])
        columns.append(np.where(rng.random((count, target.n)) < 0.3, low + (high - low) * rng.random((count, target.n)),
                                rng.choice(special, (count, target.n))))
    tokens = np.stack(columns, axis=-1)
    tokens[: count // 4] = tokens[: count // 4, :1]
    return tokens


@pytest.mark.parametrize("case", CASES)
def test_the_look_up_equals_the_sumformer_bit_for_bit(case: tuple[str, str, int, int, str, str]) -> None:
    target, sumformer = build(*case)
    tokens = probes(target, sumformer)
    compiled = CompiledSumformer(sumformer, target.box)
    assert np.array_equal(compiled(torch.from_numpy(tokens)).numpy(), sumformer(tokens))
    innermost = torch.from_numpy(np.ascontiguousarray(tokens.T)).permute(2, 1, 0)
    assert torch.equal(compiled(innermost), compiled(torch.from_numpy(tokens)))


def test_any_batch_shape_is_accepted_and_another_dtype_or_length_is_not() -> None:
    target, sumformer = build(*CASES[0])
    compiled, tokens = CompiledSumformer(sumformer, target.box), torch.rand(2, 5, 3, 1, dtype=torch.float64)
    assert torch.equal(compiled(tokens)[1, 4], compiled(tokens[1, 4]))
    with pytest.raises(TypeError, match=r"expected torch.float64 \(\*batch, 3, d\)"):
        compiled(tokens.float())
    with pytest.raises(TypeError, match="expected"):
        compiled(tokens[..., :2, :])


def test_outside_the_box_it_is_still_the_same_network() -> None:
    target, sumformer = build(*CASES[4])
    tokens = np.random.default_rng(1).normal(size=(2000, target.n, 1)) * 10
    assert np.array_equal(CompiledSumformer(sumformer, target.box)(torch.from_numpy(tokens)).numpy(), sumformer(tokens))


def test_float32_networks_run_in_float32_and_others_are_refused() -> None:
    target, sumformer = build("x*mean(y)", "1/2", 2, 1, "auto", "0,1", FLOAT32)
    tokens = probes(target, sumformer).astype(np.float32)
    values = CompiledSumformer(sumformer, target.box, "cpu", torch.float32)(torch.from_numpy(tokens)).numpy()
    assert np.array_equal(values.astype(np.float64), sumformer(tokens.astype(np.float64)))
    wide = build(*CASES[0])[1]
    with pytest.raises(Refused, match="rounding them would change the network"):
        CompiledSumformer(wide, target.box, "cpu", torch.float32)


def test_huge_integer_codes_are_refused() -> None:
    target, sumformer = build("f", "1/80", 3, 1, "positional", "0,1", pooled=False)
    with pytest.raises(Refused, match="integers beyond float64"):
        CompiledSumformer(sumformer, target.box)


def test_a_node_of_two_token_coordinates_is_refused() -> None:
    target, sumformer = build(*CASES[3])
    mixed = Node((("x.0", 1), ("x.1", 1)), Staircase(np.array([0.5]), np.array([[0.0], [1.0]])), ("mixed",))
    network = replace(sumformer.psi, nodes=(*sumformer.psi.nodes, mixed))
    with pytest.raises(Refused, match="expected one token coordinate"):
        CompiledSumformer(replace(sumformer, psi=network), target.box)


def test_the_own_code_must_be_at_hand() -> None:
    target, sumformer = build(*CASES[0])
    copies = tuple(replace(node) for node in sumformer.psi.nodes)
    with pytest.raises(Refused, match="psi does not start with the nodes of phi"):
        CompiledSumformer(replace(sumformer, psi=replace(sumformer.psi, nodes=copies)), target.box)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-3, 3, allow_nan=False, allow_subnormal=True).map(lambda v: round(v, 3)), max_size=40, unique=True))
def test_bins_count_thresholds_on_both_sides_of_every_one(values: list[float]) -> None:
    thresholds = torch.tensor(sorted(values), dtype=torch.float64)
    inf = torch.tensor(torch.inf, dtype=torch.float64)
    x = torch.cat([thresholds, torch.nextafter(thresholds, inf), torch.nextafter(thresholds, -inf),
                   torch.tensor([-3.0, 3.0, 0.0, -0.0], dtype=torch.float64)])
    count = Bins.of(thresholds, -3.0, 3.0).count(x)
    assert torch.equal(count.long(), (thresholds <= x[:, None]).sum(1))


def test_thresholds_one_ulp_apart_are_refused_not_miscounted() -> None:
    with pytest.raises(Refused, match="two of them in one of"):
        Bins.of(torch.tensor([0.5, np.nextafter(0.5, 1)], dtype=torch.float64), 0.0, 1.0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("case", CASES)
def test_the_look_up_is_the_same_on_a_gpu(case: tuple[str, str, int, int, str, str]) -> None:
    target, sumformer = build(*case)
    tokens = probes(target, sumformer)
    values = CompiledSumformer(sumformer, target.box, "cuda")(torch.from_numpy(tokens).cuda())
    assert np.array_equal(values.cpu().numpy(), sumformer(tokens))


def test_the_box_only_places_the_bins() -> None:
    target, sumformer = build(*CASES[0])
    tokens = probes(target, sumformer)
    wide = Box((Fraction(-5),), (Fraction(7),))
    assert np.array_equal(CompiledSumformer(sumformer, wide)(torch.from_numpy(tokens)).numpy(), sumformer(tokens))
