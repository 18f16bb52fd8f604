"""The search finds what is there, never exceeds what is certified, and never hides a value that is not a number."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from constructions.adapters import CompiledSumformer, TorchArchitecture
from constructions.architectures import assemble
from constructions.domains import Box
from constructions.errors import BadInput, Refused
from constructions.moduli import derived
from constructions.network import Staircase
from constructions.planner import GridPlan, plan_grid
from constructions.pooling import pooling_head
from constructions.sumformers import Sumformer
from constructions.sumformers.grid import GridConstruction, construct_grid
from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check.climbing import climbers, refiners
from proofs_check.draws import Space, inward
from proofs_check.sampling import sample
from proofs_check.search import SampleResult, Search
from proofs_check.workers import in_threads

Built = tuple[Target, GridPlan, GridConstruction]


pytestmark = pytest.mark.usefixtures("one_torch_thread")


def build(name: str, eps: str, n: int, d: int, domain: str = "0,1") -> Built:
    target = resolve(name, n=n, d=d, domain=domain)
    assert isinstance(target, Target)
    plan = plan_grid(target.box, n, target.d_out, Fraction(eps), derived(target), roundings=n + 8)
    return target, plan, construct_grid(target, plan.grid, plan.code, plan.number_format)


def search(built: Built, samples: int, seed: int = 0, sumformer: Sumformer | None = None, device: str = "cpu",
           **options: Any) -> SampleResult:
    target, plan, construction = built
    network = CompiledSumformer(sumformer or construction.sumformer, target.box, device)
    return sample(target, network, target.box, target.n, [axis.thresholds for axis in plan.grid.axes], samples, device, seed,
                  **options)


def reproduced(built: Built, sumformer: Sumformer, result: SampleResult) -> float:
    """The witness's error by plain numpy."""
    tokens = np.array(result.witness)
    return float(abs(built[0].numpy(tokens) - sumformer(tokens))[result.own, result.output])


# target, eps, n, d, domain, least certified / sampled to be reached
CASES = (("f", "1/100", 3, 1, "0,1", 1.06), ("own-times-mean", "1/100", 3, 1, "0,1", 1.06), ("median", "1/40", 3, 1, "0,1", 1.06),
         ("moments", "1/10", 4, 1, "0,1", 1.06), ("kernel-density", "1/10", 3, 1, "-1/3,1/7", 1.2),
         ("x[0]*mean(y[1])", "1/4", 2, 2, "0,1", 1.2), ("gravity-2d", "3/2", 2, 2, "-1/3,2/7", 1.2))


@pytest.mark.parametrize("case", CASES)
def test_the_maximum_is_close_to_the_certified_bound_and_never_above(case: tuple[str, str, int, int, str, float]) -> None:
    built = build(*case[:5])
    target, plan, construction = built
    result = search(built, 100_000)
    certified = plan.modulus_term + construction.value_radius
    assert Fraction(result.maximum) <= certified <= plan.tolerance
    assert certified <= Fraction(result.maximum) * Fraction(str(case[5]))
    for token in result.witness:
        assert all(a <= Fraction(x) <= b for a, x, b in zip(target.box.lower, token, target.box.upper, strict=True))
    assert result.maximum == abs(result.target_value - result.network_value)
    assert reproduced(built, construction.sumformer, result) == pytest.approx(result.maximum, rel=1e-9)
    assert 90_000 < result.samples <= 100_000


@pytest.mark.parametrize("seed", range(3))
def test_one_moved_table_value_is_found(seed: int) -> None:
    built = build("f", "1/20", 3, 1)
    _, plan, construction = built
    psi = construction.sumformer.psi
    last = psi.nodes[-1]
    values = last.table.values.copy()
    values[np.random.default_rng(seed).integers(len(values))] += 3 * float(plan.tolerance)
    nodes = (*psi.nodes[:-1], replace(last, table=Staircase(last.table.thresholds, values)))
    wrong = replace(construction.sumformer, psi=replace(psi, nodes=nodes))
    result = search(built, 300_000, sumformer=wrong)
    assert result.maximum > 2 * plan.tolerance
    assert reproduced(built, wrong, result) == pytest.approx(result.maximum, rel=1e-12)


def test_climbing_alone_reaches_the_corners_of_cells() -> None:
    built = build("own-times-mean", "1/50", 3, 1)
    _, plan, construction = built
    climbed = search(built, 100_000, shares={"ascent": 0.99})
    uniform = search(built, 100_000, shares={})
    assert climbed.found_by == "ascent"
    assert uniform.found_by == "uniform"
    assert uniform.maximum < climbed.maximum
    assert plan.modulus_term + construction.value_radius < Fraction(climbed.maximum) * Fraction("1.06")


def test_the_seed_decides_the_result_whatever_the_number_of_threads() -> None:
    built = build("f", "1/10", 3, 1)
    def without_time(result: SampleResult) -> dict[str, Any]:
        return {name: value for name, value in asdict(result).items() if name not in ("seconds", "throughput")}
    first, again = (without_time(search(built, 200_000, seed=3, shares={"ascent": 0.2})) for _ in range(2))
    assert first == again
    torch.set_num_threads(2)
    assert without_time(search(built, 200_000, seed=3, shares={"ascent": 0.2})) == first
    assert torch.get_num_threads() == 2
    assert without_time(search(built, 200_000, seed=4, shares={}))["witness"] != first["witness"]


def test_progress_adds_up() -> None:
    seen: list[int] = []
    result = search(build("f", "1/10", 3, 1), 100_000, progress=seen.append)
    assert sum(seen) == result.samples
    assert len(seen) > 3


@pytest.mark.parametrize("samples", [1, 2, 7, 100])
def test_few_samples_are_not_exceeded(samples: int) -> None:
    assert 1 <= search(build("f", "1/10", 3, 1), samples).samples <= samples


def test_a_dense_module_can_be_searched_too() -> None:
    target, plan, construction = built = build("f", "1/5", 3, 1)
    module = TorchArchitecture.of(assemble(construction.sumformer, pooling_head("performer")))
    thresholds = [axis.thresholds for axis in plan.grid.axes]
    result = sample(target, module, target.box, 3, thresholds, 4000, "cpu", 0)
    assert result.maximum == search(built, 4000).maximum


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_value_that_is_not_finite_is_reported_with_its_place(bad: float) -> None:
    target, plan, construction = build("f", "1/10", 3, 1)
    network = CompiledSumformer(construction.sumformer, target.box)

    def broken(tokens: torch.Tensor) -> torch.Tensor:
        return torch.where(tokens > 0.999, bad, network(tokens))

    with pytest.raises(Refused, match=r"network = (nan|inf) at token \d, output 0 of X = .*not finite"):
        sample(target, broken, target.box, 3, [axis.thresholds for axis in plan.grid.axes], 50_000, "cpu", 0)


def test_bad_requests_are_answered() -> None:
    target, plan, construction = build("f", "1/10", 3, 1)
    network = CompiledSumformer(construction.sumformer, target.box)
    with pytest.raises(BadInput, match="samples = 0"):
        sample(target, network, target.box, 3, [plan.grid.axes[0].thresholds], 0, "cpu", 0)
    with pytest.raises(BadInput, match="expected one for each of 1"):
        sample(target, network, target.box, 3, [], 10, "cpu", 0)
    with pytest.raises(ValueError, match="returned shape"):
        sample(target, lambda tokens: network(tokens)[..., 0], target.box, 3, [plan.grid.axes[0].thresholds], 10, "cpu", 0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("lower", "upper"), [("1/3", "2/3"), ("-2/3", "-1/3"), ("1/10", "3/10"), ("0", "1")])
def test_the_box_is_rounded_inward_to_the_last_number(lower: str, upper: str, dtype: torch.dtype) -> None:
    a, b = Fraction(lower), Fraction(upper)
    low, high = inward(a, b, dtype)
    outwards = [torch.nextafter(torch.tensor(end, dtype=dtype), torch.tensor(far, dtype=dtype)).item()
                for end, far in ((low, -torch.inf), (high, torch.inf))]
    assert Fraction(outwards[0]) < a <= Fraction(low)
    assert Fraction(high) <= b < Fraction(outwards[1])


def test_a_box_without_a_number_is_refused() -> None:
    with pytest.raises(BadInput, match="contains no"):
        inward(Fraction(1, 3), Fraction(1, 3) + Fraction(1, 10**30), torch.float64)


def test_a_box_beyond_the_format_is_cut_at_its_largest_number() -> None:
    largest, far = torch.finfo(torch.float32).max, Fraction(10**300)
    assert inward(-far, far, torch.float32) == (-largest, largest)
    assert inward(Fraction(0), far, torch.float32) == (0.0, largest)
    for a, b in ((far, 2 * far), (-2 * far, -far)):
        with pytest.raises(BadInput, match="contains no"):
            inward(a, b, torch.float32)


def test_draws_stay_in_the_box_and_meet_cell_ends_from_both_sides() -> None:
    box = Box((Fraction(-1, 3), Fraction(0)), (Fraction(2, 7), Fraction(1)))
    thresholds = [np.array([0.0, 0.1]), np.array([0.25, 0.5, 0.75])]
    space, generator = Space.of(box, 3, thresholds, "cpu", torch.float64), torch.Generator().manual_seed(0)
    ends = space.random_ends(generator, 500, 3)
    places = space.moves(generator, ends[:20])
    moved = space.moved(ends[:20], places)
    for tokens in (space.uniform(generator, 500), space.corners(generator, 0, 64), space.boundaries(generator, 500),
                   space.equal(generator, 501), moved):
        assert tokens.shape[1:] == (3, 2)
        for c in range(2):
            assert box.lower[c] <= Fraction(tokens[..., c].min().item())
            assert Fraction(tokens[..., c].max().item()) <= box.upper[c]
    assert len(space.corners(generator, 0, 64).reshape(64, -1).unique(dim=0)) == 64
    assert torch.equal(space.nearest_ends(space.at(ends)), ends)
    assert set(space.at(ends)[..., 1].unique().tolist()) == {0.0, 1.0, *thresholds[1], *np.nextafter(thresholds[1], 0)}
    trials = moved.view(space.n_moves, 20, 3, 2)
    changed = (trials != space.at(ends[:20])).flatten(2).sum(-1)
    assert 0.5 < changed.double().mean() < 1 == int(changed.max())
    move = torch.arange(20) % space.n_moves
    wanted = torch.arange(20) % 3 > 0
    there = space.at(space.moved_to(ends[:20], places, move, wanted))
    expected = torch.where(wanted[:, None, None], trials[move, torch.arange(20)], space.at(ends[:20]))
    assert torch.equal(there, expected)


def test_leaving_the_threads_early_drops_waiting_jobs_and_restores_torch() -> None:
    torch.set_num_threads(2)
    ran: list[int] = []
    jobs = in_threads((lambda i=i: ran.append(i) or i for i in range(1000)), torch.device("cpu"))
    assert [next(jobs), next(jobs)] == [0, 1]
    jobs.close()
    assert len(ran) < 20
    assert torch.get_num_threads() == 2


def test_who_leaves_the_threads_early_tells_the_jobs_that_run() -> None:
    torch.set_num_threads(2)
    told = threading.Event()
    jobs = in_threads((lambda i=i: i if i < 2 else told.wait(60) and i for i in range(10)), torch.device("cpu"), told.set)
    start = time.monotonic()
    assert next(jobs) == 0
    jobs.close()
    assert told.is_set()
    assert time.monotonic() - start < 30


def test_long_climbs_come_to_an_end_when_the_search_is_stopped() -> None:
    target, plan, construction = build("f", "1/10", 3, 1)
    network = CompiledSumformer(construction.sumformer, target.box, "cpu")
    space = Space.of(target.box, 3, [axis.thresholds for axis in plan.grid.axes], "cpu", torch.float64)
    found = Search(target, network, space, seed=0)
    for number in range(20):
        found.observe(space.uniform(found.generator("uniform", number), 100), "uniform", number)
    found.stop()
    assert [job(found) for jobs in (climbers, refiners) for job in jobs(found, 10**9)] == [0] * 12


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupted_search_raises_or_leaves_what_it_found_so_far(threads: int) -> None:
    built, told = build("f", "1/10", 3, 1), list[int]()

    def interrupt(count: int) -> None:
        told.append(count)
        if len(told) == 3:
            raise KeyboardInterrupt

    torch.set_num_threads(threads)
    with pytest.raises(KeyboardInterrupt):
        search(built, 10**8, progress=interrupt)
    told.clear()
    result = search(built, 10**8, progress=interrupt, so_far=True)
    assert result.interrupted
    assert result.samples == sum(told) < 10**7
    assert reproduced(built, built[2].sumformer, result) == pytest.approx(result.maximum, rel=1e-9)
    assert not search(built, 1000, so_far=True).interrupted


def test_before_anything_was_found_an_interruption_is_one() -> None:
    def network(tokens: torch.Tensor) -> torch.Tensor:
        raise KeyboardInterrupt

    target, plan, _ = build("f", "1/10", 3, 1)
    with pytest.raises(KeyboardInterrupt):
        sample(target, network, target.box, 3, [axis.thresholds for axis in plan.grid.axes], 1000, "cpu", 0, so_far=True)


def test_a_failing_job_raises_where_the_results_are_read() -> None:
    torch.set_num_threads(2)
    with pytest.raises(ZeroDivisionError):
        list(in_threads((lambda i=i: 1 // (i - 5) for i in range(10)), torch.device("cpu")))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("case", CASES)
def test_the_search_runs_on_a_gpu(case: tuple[str, str, int, int, str, float]) -> None:
    built = build(*case[:5])
    _, plan, construction = built
    result = search(built, 2_000_000, device="cuda")
    assert plan.tolerance / 2 < result.maximum <= plan.modulus_term + construction.value_radius
    assert reproduced(built, construction.sumformer, result) == pytest.approx(result.maximum, rel=1e-9)
