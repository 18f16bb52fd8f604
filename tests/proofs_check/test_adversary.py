"""The adversary's further places: Sobol nets, partial ties, bends of the network, steps of any size, long sequences."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction

import numpy as np
import pytest
import torch

from constructions.adapters import CompiledMeanSumformer
from constructions.continuous import compile_target
from constructions.domains import Box
from constructions.errors import Refused
from constructions.network.relu import MeanSumformer, ReluLayer
from constructions.targets.evaluation import torch_algebra
from constructions.targets.library import resolve
from constructions.targets.streaming import evaluate_in_chunks
from constructions.targets.target import Target
from proofs_check import streamed
from proofs_check.draws import Space
from proofs_check.kinks import bends
from proofs_check.repeated import Repeated
from proofs_check.sampling import sample
from proofs_check.search import PHASES, SampleResult, Search
from proofs_check.witness import confirmed, repetition, thresholds_of

pytestmark = pytest.mark.usefixtures("one_torch_thread")

UNIT = Box((Fraction(0),), (Fraction(1),))
Built = tuple[Target, MeanSumformer, Fraction]


def built(name: str, eps: str, n: int) -> Built:
    target = resolve(name, n=None, d=None, domain="0,1")
    assert isinstance(target, Target)
    compiled = compile_target(target, Fraction(eps), "sum-decomposition")[1]
    return Target.from_text(target.text, n=n, box=target.box, name=name), compiled.sumformer, compiled.bound


def search(case: Built, samples: int, shares: dict[str, float], repeated: Repeated | None = None) -> SampleResult:
    target, network, _ = case
    n = target.n if repeated is None else repeated.different
    return sample(target, CompiledMeanSumformer(network), target.box, n, thresholds_of(network, target), samples, "cpu", 0,
                  shares=shares, repeated=repeated)


def space(n: int, box: Box = UNIT) -> Space:
    return Space.of(box, n, [np.array([0.25, 0.5])] * box.d, "cpu", torch.float64)


def test_a_sobol_net_has_one_point_in_every_interval_of_every_coordinate() -> None:
    generator = torch.Generator().manual_seed(0)
    two = Box((Fraction(-1), Fraction(2)), (Fraction(1), Fraction(3)))
    net = space(3, two).sobol(generator, 256)
    assert net.shape == (256, 3, 2)
    unit = (net - torch.tensor([-1.0, 2.0])) / torch.tensor([2.0, 1.0])
    for column in (unit.reshape(256, -1) * 256).floor().T:
        assert sorted(column.tolist()) == list(range(256))
    drawn = (space(3).uniform(generator, 256).reshape(256, -1) * 256).floor()
    assert all(len(column.unique()) < 200 for column in drawn.T)
    assert not torch.equal(space(3, two).sobol(generator, 256), net)


def test_partly_equal_sequences_repeat_between_one_and_all_but_one_of_their_tokens() -> None:
    tokens = space(6).partly_equal(torch.Generator().manual_seed(1), 4000)
    different = {len(row.unique()) for row in tokens[:2000, :, 0]}
    assert different == {1, 2, 3, 4, 5}
    assert {len(row.unique()) for row in space(2).partly_equal(torch.Generator().manual_seed(1), 400)[:200, :, 0]} == {1, 2}


def test_refinement_moves_stay_in_the_box_and_within_their_scale() -> None:
    generator, spot = torch.Generator().manual_seed(2), space(3)
    tokens = spot.uniform(generator, 50)
    near = spot.near(generator, tokens, 32, 1e-3)
    off = (near.reshape(50, 32, 3, 1) - tokens[:, None]).abs()
    assert near.min() >= 0
    assert near.max() <= 1
    assert 1e-3 < off.max() < 1e-2
    assert 0.4 < (off == 0).double().mean() < 0.6


def spike(place: float, half_width: float) -> MeanSumformer:
    """x + a hat of height 1: two bends at its feet and one at its top, all in units that read the token alone."""
    W_2 = np.array([[1.0], [-2.0], [1.0]]) / half_width
    hat = ReluLayer(("x.0",), np.ones((1, 3)), -np.array([place - half_width, place, place + half_width]), ("hat",), W_2)
    return MeanSumformer(("x.0",), (), (), (hat,), ("x.0", "hat"), np.ones((2, 1)), np.zeros(1))


def test_a_kink_hidden_between_samples_is_found_in_the_weights() -> None:
    target, network = Target.from_text("x", n=3, box=UNIT), spike(0.123456789, 1e-9)
    compiled = CompiledMeanSumformer(network)
    found = sample(target, compiled, UNIT, 3, thresholds_of(network, target), 5000, "cpu", 0)
    assert found.maximum == pytest.approx(1, abs=1e-5)
    even = sample(target, compiled, UNIT, 3, [np.linspace(0, 1, 1024)[1:-1]], 5000, "cpu", 0)
    assert even.maximum < 1e-5


def test_bends_of_plain_units_and_of_chains_of_folds_are_listed_with_their_middles() -> None:
    smooth = built("smooth-maximum", "1/100", 3)[1]
    layer = smooth.phi[0]
    expected = [place for place in -layer.bias / layer.W_1[0] if 0 < place < 1]
    listed = bends(smooth, UNIT)[0]
    assert len(expected) > 5
    assert set(expected) <= set(listed)
    folds = [ReluLayer(("t",), np.ones((1, 1)), np.array([-(0.5**s)]), ("t", "a"), np.array([[-2.0, 4 * (0.5**s - 0.125)]]))
             for s in range(3)]
    head = ReluLayer(("x.0",), np.full((1, 1), 2.5), np.array([-0.125]), ("t", "a"), np.array([[1.0, -1.75]]))
    chain = MeanSumformer(("x.0",), (), (), (head, *folds), ("a",), np.ones((1, 1)), np.zeros(1))
    places = (np.arange(8) / 4 + 0.125) / 2.5  # w = 2.5 x - 1/8 in steps of 2^{1-3}; beyond 2 the last piece goes on
    near = np.abs(bends(chain, UNIT)[0][:, None] - places).min(axis=0)
    assert near.max() < 1e-15
    assert np.diff(bends(chain, UNIT)[0]).min() > 0


def test_a_weight_that_is_nearly_nothing_bends_nowhere() -> None:
    """1 / 5e-324 is beyond every float: no warning is printed, and the grid is left."""
    layer = ReluLayer(("x.0",), np.array([[5e-324, 1.0]]), np.array([1.0, -0.3]), ("c",), np.ones((2, 1)))
    network = MeanSumformer(("x.0",), (layer,), ("c",), (), ("mean.c",), np.ones((1, 1)), np.zeros(1))
    (places,) = bends(network, UNIT)
    assert 0.3 in places
    assert np.isfinite(places).all()


def test_small_steps_climb_where_cells_end() -> None:
    case = built("f", "1/100", 3)
    cells = search(case, 60_000, {"ascent": 0.9})
    both = search(case, 60_000, {"ascent": 0.4, "refinement": 0.5})
    assert both.found_by == "refinement"
    assert both.maximum > cells.maximum
    assert Fraction(both.maximum) <= case[2]


def test_random_numbers_are_the_processors_on_every_device_and_phases_do_not_share_them() -> None:
    look = Search(built("f", "1/100", 3)[0], lambda tokens: tokens, space(3), seed=5)
    generators = [look.generator(phase, number) for phase in PHASES for number in (0, 1)]
    assert {generator.device.type for generator in generators} == {"cpu"}
    assert len({torch.rand(1, generator=generator).item() for generator in generators}) == len(generators)


@pytest.mark.parametrize("name", ["f", "standardise", "kernel-density", "smooth-maximum", "moments"])
def test_a_repeated_token_is_that_many_tokens(name: str) -> None:
    target, network, _ = built(name, "1/100", 40)
    several = Repeated(40, different=5).draw(space(5), torch.Generator().manual_seed(1), 7)
    counts = tuple(several[0].tolist())
    assert len(set(counts)) > 1
    tokens = torch.rand(7, 5, 1, dtype=torch.float64)
    whole = tokens.repeat_interleave(torch.tensor(counts), dim=1)
    first = [sum(counts[:k]) for k in range(5)]
    compiled = CompiledMeanSumformer(network)
    torch.testing.assert_close(target.torch(tokens, counts=counts), target.torch(whole)[:, first], rtol=0, atol=1e-13)
    torch.testing.assert_close(compiled(tokens, counts), compiled(whole)[:, first], rtol=0, atol=1e-13)
    assert not torch.allclose(compiled(tokens, counts), compiled(tokens), rtol=0, atol=1e-4)
    for call in (compiled, lambda tokens, counts: target.torch(tokens, counts=counts)):  # each sequence its own multiplicities
        each = [call(one[None], tuple(row)) for one, row in zip(tokens, several.tolist(), strict=True)]
        torch.testing.assert_close(call(tokens, several), torch.cat(each), rtol=0, atol=1e-13)


def test_the_witness_of_a_long_search_is_confirmed_with_its_multiplicities() -> None:
    case = built("kernel-density", "1/100", 10**6)
    target, network, bound = case
    repeated = repetition(target, network)
    assert repeated is not None
    found = search(case, 20_000, {"ascent": 0.3, "refinement": 0.2}, repeated)
    assert found.counts is not None
    assert sum(found.counts) == 10**6
    estimate = confirmed(target, network, found)
    assert estimate.maximum == pytest.approx(found.maximum, rel=1e-9)
    assert 0 < Fraction(estimate.maximum) <= bound
    evenly = confirmed(target, network, SampleResult(**(asdict(found) | {"counts": (10**6 // 4,) * 4})))
    assert evenly.maximum != pytest.approx(found.maximum, rel=1e-3)


def test_changed_multiplicities_are_whole_numbers_from_one_on_that_make_up_the_sequence() -> None:
    repeated, generator = Repeated(500), torch.Generator().manual_seed(0)
    before = repeated.draw(space(4), generator, 20)
    for scale in (2.0**-12, 0.5):
        after = repeated.near(space(4), generator, before, 30, scale)
        assert after.shape == (600, 4)
        assert after.sum(dim=1).unique().tolist() == [500]
        assert int(after.min()) >= 1
        small = (after.view(20, 30, 4) - before[:, None]).abs().max() <= 4
        assert small == (scale < 0.1)


def test_a_search_that_moves_tokens_and_multiplicities_finds_most_of_the_bound() -> None:
    """Standardising errs most where one token in 200 differs from all others."""
    case = built("standardise", "1/10000", 4096)
    found = sample(case[0], CompiledMeanSumformer(case[1]), case[0].box, 4, thresholds_of(case[1], case[0]), 60_000, "cpu", 0,
                   repeated=Repeated(4096))
    assert 0.9 * float(case[2]) <= found.maximum <= float(case[2])


def test_a_long_search_repeats_itself_whatever_the_number_of_threads() -> None:
    case = built("f", "1/100", 1000)
    repeated = Repeated(1000)
    results = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found = search(case, 30_000, {"ascent": 0.3, "refinement": 0.3, "partly equal": 0.1, "Sobol": 0.1}, repeated)
        results.append({key: value for key, value in asdict(found).items() if key not in ("seconds", "throughput")})
    assert results[0] == results[1]


def test_short_sequences_and_targets_that_look_at_the_order_are_drawn_token_by_token() -> None:
    target, network, _ = built("f", "1/100", 32)
    assert repetition(target, network) is None
    assert repetition(Target.from_text("x + order(2)", n=5000, box=UNIT), network) is None
    assert repetition(Target.from_text("x + mean(y)", n=5000, box=UNIT), network) is not None


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_same_seed_draws_the_same_sequences_on_a_gpu() -> None:
    for draw in ("uniform", "sobol", "boundaries", "equal", "two_values", "partly_equal"):
        here, there = (Space.of(UNIT, 9, [np.array([0.25])], device, torch.float64) for device in ("cpu", "cuda"))
        drawn = [getattr(one, draw)(torch.Generator().manual_seed(3), 100) for one in (here, there)]
        assert torch.equal(drawn[0], drawn[1].cpu())


def test_of_equal_tokens_the_first_is_reported() -> None:
    """Which one of them is off by a rounding more differs between machines."""
    look = Search(built("own-times-mean", "1/100", 3)[0], lambda tokens: tokens, space(3), seed=0)
    look.target = Target.from_text("0*x", n=3, box=UNIT)
    look.evaluate = lambda tokens: tokens * torch.tensor([[1.0], [1.0], [1 + 1e-15]])
    look.observe(torch.tensor([[[0.25], [0.5], [0.5]]], dtype=torch.float64), "uniform", 0)
    assert (look.found[0].own, look.found[0].maximum) == (1, 0.5)
    look.evaluate = lambda tokens: tokens * torch.tensor([[1.0], [1.0], [1.01]])
    look.observe(torch.tensor([[[0.25], [0.5], [0.5]]], dtype=torch.float64), "uniform", 1)
    assert look.found[0].own == 2


STREAMED = ("f", "standardise", "kernel-density", "smooth-maximum", "moments", "x", "mean((y - mean(y))**2) * max(abs(y - x))",
            "sum(y) / n + min(y + x) - mean(x)", "mean(y * max(y * mean(y)))")


@pytest.mark.parametrize("text", STREAMED)
@pytest.mark.parametrize("size", [7, 32, 100])
def test_a_target_in_chunks_is_the_target(text: str, size: int) -> None:
    target = resolve(text, n=64, d=None, domain="0,1")
    assert isinstance(target, Target)
    tokens = torch.rand(64, 1, dtype=torch.float64)
    values = evaluate_in_chunks(target.outputs, tokens[:9], lambda: torch.split(tokens, size), 64,
                                torch_algebra("cpu", torch.float64))
    torch.testing.assert_close(values, target.torch(tokens)[:9], rtol=1e-13, atol=1e-13)


def test_order_statistics_do_not_stream() -> None:
    target = Target.from_text("order(2)", n=64, box=UNIT)
    with pytest.raises(TypeError, match="needs all tokens at once"):
        evaluate_in_chunks(target.outputs, torch.zeros(1, 1), lambda: [torch.zeros(64, 1)], 64,
                           torch_algebra("cpu", torch.float64))


def test_one_long_sequence_is_read_in_chunks_as_if_it_were_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    target, network, _ = built("f", "1/100", 1000)
    monkeypatch.setattr(streamed, "CHUNK", 128)
    one = Space.of(UNIT, 1, [np.zeros(0)], "cpu", torch.float64)
    seen: list[torch.Tensor] = []
    compiled = CompiledMeanSumformer(network)
    real = compiled.constants
    monkeypatch.setattr(compiled, "constants", lambda chunks, n: real(seen.extend(chunks) or seen, n))
    found = streamed.stream(target, compiled, one, 1000, 0)
    assert [len(chunk) for chunk in seen] == [*[128] * 7, 104]
    tokens = torch.cat(seen)
    assert len(tokens.unique()) == 1000
    error = (compiled(tokens) - target.torch(tokens)).abs()[:64].max().item()
    assert found.maximum == pytest.approx(error, rel=1e-9)
    assert found.looked_at == 64


def test_equal_tokens_stay_equal_in_half_of_the_refinement_moves() -> None:
    generator, spot = torch.Generator().manual_seed(4), space(6)
    tokens = torch.tensor([[0.2, 0.7, 0.2, 0.7, 0.7, 0.4]], dtype=torch.float64)[..., None]
    near = spot.near(generator, tokens, 200, 0.01)[..., 0]
    together = (near[:, 0] == near[:, 2]) & (near[:, 1] == near[:, 3]) & (near[:, 3] == near[:, 4])
    assert bool(together[:100].all())
    assert together[100:].double().mean() < 0.5
    assert (near[:100] != tokens[0, :, 0]).any(dim=1).double().mean() > 0.3


def test_each_trial_moves_by_its_own_scale() -> None:
    scale = torch.tensor([1e-1, 1e-6] * 50, dtype=torch.float64)
    tokens = torch.full((3, 4, 1), 0.5, dtype=torch.float64)
    off = (space(4).near(torch.Generator().manual_seed(0), tokens, 100, scale).view(3, 50, 2, 4) - 0.5).abs()
    assert off[:, :, 1].max() < 1e-5 < 1e-2 < off[:, :, 0].max()


def test_rotated_points_are_uniform_in_every_coordinate_and_coordinates_do_not_follow_each_other() -> None:
    generator = torch.Generator().manual_seed(7)
    tokens = torch.cat([space(4).uniform(generator, 1000) for _ in range(8)])[..., 0]
    assert (torch.histc(tokens, 10, 0, 1) / tokens.numel() - 0.1).abs().max() < 0.01
    assert (torch.corrcoef(tokens.T) - torch.eye(4)).abs().max() < 0.06
    two = space(9).two_values(generator, 4000)[..., 0]
    assert max(len(row.unique()) for row in two) == 3
    shares = (two[:, 1:] == two[:, 1:2]).double().mean(dim=1)
    assert shares.min() < 0.2
    assert shares.max() == 1


def test_a_value_that_is_not_finite_stops_a_climb_too() -> None:
    look = Search(built("own-times-mean", "1/100", 3)[0], lambda tokens: torch.full_like(tokens, torch.nan), space(3), seed=0)
    tokens = torch.rand(5, 3, 1, dtype=torch.float64)
    for call in (lambda: look.errors(tokens, "ascent"), lambda: look.enter(tokens, "ascent", 0),
                 lambda: look.observe(tokens, "uniform", 0)):
        with pytest.raises(Refused, match="not finite"):
            call()


def test_chunks_are_smaller_where_f_compares_all_pairs() -> None:
    chunks = {text: Search(Target.from_text(text, n=48, box=UNIT), lambda tokens: tokens, space(48), seed=0).chunk
              for text in ("x - mean(y)", "mean(abs(x - y))")}
    assert chunks["x - mean(y)"] > 10 * chunks["mean(abs(x - y))"] > 0
