"""Each piece by itself: its proved bound holds, and is attained nearly everywhere it can be."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from flint import acb, arb
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial import chebyshev

from constructions.errors import Refused
from constructions.network.relu import MeanSumformer, ReluLayer, run
from constructions.network.wiring import Wiring
from constructions.pieces.basis import ChebyshevBasis
from constructions.pieces.enclosure import slope_range, value_range
from constructions.pieces.expansion import Grid, expand, nearby
from constructions.pieces.forms import Form, Placed, Quantity, ends
from constructions.pieces.interpolation import Table, conditioned, interpolate, predicted_units
from constructions.pieces.node import Sweep
from constructions.pieces.product import Product
from constructions.pieces.separation import separate_many
from constructions.pieces.smooth import Smooth
from constructions.pieces.square import Square, folds_for
from constructions.pieces.univariate import Univariate
from constructions.targets import expression as ex
from constructions.targets.language import parse
from proofs_check.folds import chains

UNIT = 2.0**-53
CURVES = [("exp(x)", 0, 2), ("1/(x+1/10)", 0, 1), ("1/sqrt(x+1/10)", 0, 1), ("log(x+1/100)", 0, 3), ("sin(5*x)", 0, 2),
          ("sigmoid(8*x)", -1, 1), ("tanh(3*x)", -1, 2), ("x**4-x", -1, 1), ("exp(-(x**2)/(1/10))", -1, 1)]


def smooth(text: str, p: int = 1) -> Smooth:
    return Smooth(ex.specialise(parse(text, p)[0], 2), p)


def exactly(g: Smooth, t: Fraction) -> float:
    from flint import ctx, fmpq

    with ctx.workprec(150):
        return float(g.ball(arb(fmpq(t.numerator, t.denominator))))


# --- folded squares -------------------------------------------------------------------------------------------------------


def squared(folds: int, points: list[Fraction], nudge: float = 0.0) -> list[Fraction]:
    """Run the network of one square exactly on u in [-1, 1]."""
    wiring = Wiring.of(["u"], "c")
    target = wiring.channel()
    constant = Square(folds=folds).emit(wiring, Placed({"u": Fraction(1)}, Fraction(0), Fraction(1)), {target: Fraction(1)})
    layers, _ = wiring.built([target])
    if nudge:
        last = layers[-1]
        layers = (*layers[:-1], ReluLayer(last.reads, last.W_1, last.bias + nudge, last.writes, last.W_2))
    known = run(layers, {"u": np.array(points, dtype=object)})
    return [value + constant for value in np.broadcast_to(known.get(target, Fraction(0)), (len(points),))]


@pytest.mark.parametrize("folds", range(9))
def test_a_square_of_m_folds_errs_by_exactly_half_of_four_to_the_minus_m_in_both_directions(folds: int) -> None:
    points = [Fraction(k, 2**folds) for k in range(-(2**folds), 2**folds + 1)]
    middles = [(a + b) / 2 for a, b in itertools.pairwise(points)]
    errors = [value - u * u for u, value in zip(points + middles, squared(folds, points + middles), strict=True)]
    assert max(errors) == Fraction(1, 2 * 4**folds)
    assert min(errors) == -Fraction(1, 2 * 4**folds)


@given(st.fractions(-1, 1), st.integers(0, 10))
def test_no_point_is_squared_worse_than_that(u: Fraction, folds: int) -> None:
    assert abs(squared(folds, [u])[0] - u * u) <= Fraction(1, 2 * 4**folds)


def test_a_moved_bias_breaks_the_bound_of_the_square() -> None:
    points = [Fraction(k, 64) for k in range(-64, 65)]
    errors = [abs(value - u * u) for u, value in zip(points, squared(3, points, nudge=0.05), strict=True)]
    assert max(errors) > Fraction(1, 2 * 4**3)


def test_folds_are_as_few_as_the_tolerance_allows() -> None:
    assert [folds_for(1.0, t) for t in (1.0, 0.5, 0.49, 0.125, 0.12)] == [0, 0, 1, 1, 2]


# --- products and bases in a sweep ----------------------------------------------------------------------------------------


def swept(names: dict[str, arb]) -> tuple[Sweep, dict[str, Quantity]]:
    sweep = Sweep(UNIT, 0.0, Wiring.of(names, "c"))
    quantities = {name: Quantity(name, values, True) for name, values in names.items()}
    for quantity in quantities.values():
        sweep.places[quantity] = Placed({quantity.name: Fraction(1)}, Fraction(0), Fraction(ends(abs(quantity.range))[1]))
        sweep.errors[quantity] = arb(0)
    return sweep, quantities


def held(sweep: Sweep, quantity: Quantity, tokens: dict[str, np.ndarray]) -> np.ndarray:
    place = sweep.places[quantity]
    known = run(sweep.wiring.built(place.channels)[0], tokens)
    return np.asarray(sum(float(w) * known[c] for c, w in place.channels.items()) + float(place.constant))


@settings(deadline=None, max_examples=40)
@given(st.floats(-5, 5), st.floats(0.01, 10), st.floats(-5, 5), st.floats(0.01, 10), st.integers(1, 7), st.integers(1, 7))
def test_a_product_is_within_its_proved_error_and_comes_close_to_it(a: float, w: float, b: float, v: float, m: int,
                                                                   k: int) -> None:
    sweep, of = swept({"p": arb(a).union(arb(a + w)), "q": arb(b).union(arb(b + v))})
    node = Product("pq", Form.of(of["p"]), Form.of(of["q"]), of["p"].range * of["q"].range)
    node.pair.squares[0].folds, node.pair.squares[1].folds = m, k
    node.realise(sweep)
    grid = np.linspace(0, 1, 2**8 + 1)
    p, q = (part.ravel() for part in np.meshgrid(a + w * grid, b + v * grid))
    error = np.abs(held(sweep, node.outputs[0], {"p": p, "q": q}) - p * q).max()
    bound = ends(abs(sweep.errors[node.outputs[0]]))[1]
    assert 0.85 * bound <= error <= bound * (1 + 1e-9)


@pytest.mark.parametrize("degree", [1, 2, 3, 8, 13, 20])
def test_chebyshev_polynomials_are_within_their_proved_errors_one_square_each(degree: int) -> None:
    sweep, of = swept({"t": arb(1).union(arb(3))})
    basis = ChebyshevBasis(Form.of(of["t"]), (Fraction(1), Fraction(3)), "t")
    for j in range(1, degree + 1):
        basis.polynomial(j)
    for square in basis.squares:
        square.folds = 7
    basis.realise(sweep)
    t = np.linspace(1, 3, 2001)
    for j in range(1, degree + 1):
        quantity = basis.polynomial(j)
        error = np.abs(held(sweep, quantity, {"t": t}) - chebyshev.chebval(t - 2, [0] * j + [1])).max()
        assert error <= ends(abs(sweep.errors[quantity]))[1]
    assert len(basis.squares) <= max(0, degree - 1) + (degree > 1 and degree % 2)
    placed = [c for j in range(1, degree + 1) for c in sweep.places[basis.polynomial(j)].channels]
    assert len(chains(sweep.wiring.built(placed)[0], ["t"], placed)) == len(basis.squares)


# --- tables ---------------------------------------------------------------------------------------------------------------


def on_grid(table: Table, last: float, count: int = 40) -> list[tuple[Fraction, Fraction]]:
    points = [Fraction(float(t)) for t in (*table.knots, last)]
    values = table.values(last)
    return [(a + (b - a) * k / count, u + (v - u) * k / count)
            for a, b, u, v in zip(points, points[1:], values, values[1:], strict=False) for k in range(count + 1)]


@pytest.mark.parametrize("tolerance", [1e-1, 1e-3])
@pytest.mark.parametrize(("text", "a", "b"), CURVES)
def test_a_table_is_within_its_proved_bounds_with_few_hinges(text: str, a: int, b: int, tolerance: float) -> None:
    g = smooth(text)
    table = interpolate(g, float(a), float(b), tolerance)
    errors = [float(value) - exactly(g, t) for t, value in on_grid(table, float(b))]
    assert -tolerance <= table.lower <= min(errors)
    assert max(errors) <= table.upper <= tolerance
    bends = {"sin(5*x)",
             "sigmoid(8*x)", "tanh(3*x)", "exp(-(x**2)/(1/10))", "x**4-x"}  # half the shift is lost
    assert table.units <= (2.2 if text in bends else 1.15) * predicted_units(g, a, b, tolerance) + (10 if text in bends else 4)


@pytest.mark.parametrize(("text", "a", "b"), [("exp(x)", 0, 2), ("1/(x+1/10)", 0, 1), ("log(x+1/100)", 0, 3), ("x**2", 0, 1)])
def test_the_bound_of_a_table_of_a_convex_or_concave_function_is_attained_within_a_tenth(text: str, a: int, b: int) -> None:
    g = smooth(text)
    table = interpolate(g, float(a), float(b), 1e-3)
    errors = [abs(float(value) - exactly(g, t)) for t, value in on_grid(table, float(b))]
    assert max(errors) >= 0.9 * max(-table.lower, table.upper)


def test_a_relative_table_errs_in_proportion_to_the_function() -> None:
    g = smooth("exp(8*x)")
    table = interpolate(g, 0.0, 1.0, 1e-2, weight=g)
    ratios = [float(value) / exactly(g, t) - 1 for t, value in on_grid(table, 1.0)]
    assert -1e-2 <= table.lower <= min(ratios)
    assert max(ratios) <= table.upper <= 1e-2
    assert table.units < interpolate(g, 0.0, 1.0, 1e-2).units / 5


@pytest.mark.parametrize(("text", "a", "b", "tolerance"), [("1/x", 0, 1, 1e-2), ("log(x)", 0, 1, 1e-2), ("exp(x)", 0, 1, 0.0),
                                                          ("exp(x)", 0, 1, float("nan")), ("exp(60*x)", 0, 1, 1e-6)])
def test_a_table_that_cannot_be_is_refused(text: str, a: int, b: int, tolerance: float) -> None:
    with pytest.raises(Refused):
        interpolate(smooth(text), float(a), float(b), tolerance)


@pytest.mark.parametrize("tolerance", [1e-1, 1e-3])
@pytest.mark.parametrize(("text", "a", "b"), [*CURVES, ("sqrt(x+1/10**9)", 0, 1), ("exp(log(x+1/10**9)*3/10)", 0, 1)])
def test_a_table_in_the_mirror_is_within_its_proved_bounds_and_never_adds_up_to_more(text: str, a: int, b: int,
                                                                                     tolerance: float) -> None:
    g = smooth(text)
    table = interpolate(g, float(a), float(b), tolerance)
    chosen, sign = conditioned(table, float(b))
    errors = [float(value) - exactly(g, sign * t) for t, value in on_grid(chosen, float(b) if sign > 0 else -float(a))]
    assert chosen.lower <= min(errors)
    assert max(errors) <= chosen.upper
    assert max(-chosen.lower, chosen.upper) <= tolerance * (1 + 1e-9)
    assert chosen.mass(float(b) if sign > 0 else -float(a)) <= table.mass(float(b))
    assert chosen.units == table.units


def test_a_root_looks_from_its_flat_end() -> None:
    """From 0 its hinges add up to twice the steepest slope; from 1 to about its values."""
    table = interpolate(smooth("sqrt(x+1/10**9)"), 0.0, 1.0, 1e-4)
    chosen, sign = conditioned(table, 1.0)
    assert sign == -1
    assert chosen.mass(0.0) < 2 < 5e3 < table.mass(1.0)
    assert conditioned(interpolate(smooth("exp(x)"), 0.0, 2.0, 1e-3), 2.0)[1] == 1


def test_a_mirrored_table_that_was_moved_is_outside_its_bounds() -> None:
    g = smooth("sqrt(x+1/10**9)")
    chosen, _ = conditioned(interpolate(g, 0.0, 1.0, 1e-4), 1.0)
    moved = Table(chosen.base + 3e-4, chosen.knots, chosen.weights, chosen.lower, chosen.upper)
    assert max(float(value) - exactly(g, -t) for t, value in on_grid(moved, 0.0)) > chosen.upper


# --- expansions and kernels -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tolerance", [1e-2, 1e-6])
@pytest.mark.parametrize(("text", "a", "b"), CURVES)
def test_an_expansion_is_within_its_proved_error_which_is_sharp(text: str, a: int, b: int, tolerance: float) -> None:
    g = smooth(text)
    found = expand(g, ((Fraction(a), Fraction(b)),), tolerance, 128)
    t = np.linspace(a, b, 4001)
    error = np.abs(chebyshev.chebval(2 * (t - a) / (b - a) - 1, found.coefficients) - g.numpy(t[:, None])).max()
    assert error - 1e-14 <= found.error <= tolerance  # less what evaluation rounds: a polynomial's own expansion errs by nothing
    assert found.error <= 1.05 * error + 0.03 * tolerance


def test_a_moved_coefficient_is_seen_by_the_certification() -> None:
    g, box = smooth("exp(x)"), ((Fraction(0), Fraction(2)),)
    found = expand(g, box, 1e-4)
    grid = Grid.of(g, box, nearby(g, box, 1e-6, 64))
    assert grid.error(found.coefficients) <= 1e-4
    moved = found.coefficients.copy()
    moved[1] += 3e-4
    assert grid.error(moved) > 1e-4


@pytest.mark.parametrize("text", ["1/x", "log(x)", "sqrt(x)", "1/(x**2+1/1000000)"])
def test_a_function_without_room_around_its_interval_has_no_expansion(text: str) -> None:
    with pytest.raises(Refused):
        expand(smooth(text), ((Fraction(0), Fraction(1)),), 1e-3)


@pytest.mark.parametrize("tolerance", [1e-2, 1e-5])
@pytest.mark.parametrize("texts", [["exp(-((x[0]-x[1])/0.2)**2/2)"], ["sigmoid((x[0]-x[1])/0.1)"],
                                   ["exp(2*x[0]*x[1])*x[1]", "exp(2*x[0]*x[1])"]])
def test_a_separated_kernel_is_within_its_proved_error_which_is_sharp(texts: list[str], tolerance: float) -> None:
    kernels = [smooth(text, 2) for text in texts]
    found = separate_many(kernels, 1, ((Fraction(0), Fraction(1)),) * 2, tolerance)
    grid = np.linspace(0, 1, 301)
    x, y = ([chebyshev.chebval(2 * grid - 1, [0] * j + [1]) for (j,) in degrees]
            for degrees in (found.x_degrees, found.y_degrees))
    mesh = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1)
    worst = 0.0
    for o, K in enumerate(kernels):
        approximation = (found.U @ np.array(x)).T @ (found.V[:, o] @ np.array(y))
        worst = max(worst, np.abs(approximation - K.numpy(mesh)).max())
    assert worst <= found.error <= tolerance
    assert found.error <= 1.07 * worst + 0.04 * tolerance


def test_a_rank_above_the_limit_is_refused() -> None:
    with pytest.raises(Refused, match="rank at most 3"):
        separate_many([smooth("exp(-((x[0]-x[1])/0.2)**2/2)", 2)], 1, ((Fraction(0), Fraction(1)),) * 2, 1e-3, max_rank=3)


# --- functions ------------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(CURVES), st.floats(0, 1), st.floats(0, 0.2))
def test_balls_series_and_complex_balls_contain_the_values(curve: tuple[str, int, int], where: float, wide: float) -> None:
    text, a, b = curve
    g, t = smooth(text), a + (b - a) * where
    low, high = max(a, t - wide), min(b, t + wide)
    value = exactly(g, Fraction(t))
    box = arb(low).union(arb(high))
    for ball in (g.ball(box), g.series(box, 2)[0], g.complex(acb(box)).real):
        assert not ball.is_finite() or abs(float(ball.mid()) - value) <= float(ball.rad()) * (1 + 1e-9) + 1e-12
    step = 1e-5
    slope = (exactly(g, Fraction(t) + Fraction(step)) - exactly(g, Fraction(t) - Fraction(step))) / (2 * step)
    first = g.series(arb(t), 1)[1]
    assert abs(float(first.mid()) - slope) <= 1e-4 * (1 + abs(slope))


@pytest.mark.parametrize(("text", "a", "b"), CURVES)
def test_ranges_contain_the_values_and_are_nearly_as_small(text: str, a: int, b: int) -> None:
    g = smooth(text)
    t = np.linspace(a, b, 2001)
    values = g.numpy(t[:, None])
    low, high = ends(value_range(g, [(a, b)]))
    assert low <= values.min()
    assert values.max() <= high
    assert high - low <= 1.15 * (values.max() - values.min())
    slopes = np.diff(values) / np.diff(t)
    low, high = ends(slope_range(g, (a, b)))
    assert low <= slopes.min()
    assert slopes.max() <= high


def test_slopes_against_a_logarithm_are_enclosed_sharply() -> None:
    t = Quantity("t", arb(1).union(arb(1000)), True)
    for text, low, high in (("log(x)", 1.0, 1.0), ("1/x", -1.0, -1e-3), ("sqrt(x)", 0.5, 0.5 * 1000**0.5)):
        found = ends(Univariate(smooth(text), Form.of(t)).logarithmic_slope(t.range))
        assert found[0] <= low
        assert found[1] >= high
        assert found[1] - found[0] <= 1.02 * (high - low) + 0.01


def test_a_kink_is_not_a_smooth_function() -> None:
    with pytest.raises(ValueError, match="not an analytic function"):
        smooth("abs(x)")


# --- layers ---------------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_wired_layers_compute_what_the_units_say_unit_by_unit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    wiring, names, values = Wiring.of(["x.0"], "c"), ["x.0"], {"x.0": rng.normal(size=5)}
    for _ in range(12):
        reads = {name: float(rng.normal()) for name in rng.choice(names, min(len(names), 2), replace=False)}
        channel, bias, weight = wiring.channel(), float(rng.normal()), float(rng.normal())
        wiring.unit(reads, bias, {channel: weight})
        values[channel] = weight * np.maximum(sum(w * values[c] for c, w in reads.items()) + bias, 0)
        names.append(channel)
    wanted = names[-2:]
    known = run(wiring.built(wanted)[0], {"x.0": values["x.0"]})
    assert all(np.allclose(known[c], values[c], rtol=1e-12, atol=1e-12) for c in wanted)


def test_a_network_that_reads_what_is_not_there_or_has_odd_shapes_is_no_network() -> None:
    layer = ReluLayer(("x.0",), np.ones((1, 2)), np.zeros(2), ("a",), np.ones((2, 1)))
    with pytest.raises(ValueError, match="do not fit"):
        ReluLayer(("x.0",), np.ones((2, 2)), np.zeros(2), ("a",), np.ones((2, 1)))
    with pytest.raises(ValueError, match="before they exist"):
        MeanSumformer(("x.0",), (layer,), ("b",), (), ("a",), np.ones((1, 1)), np.zeros(1))
    with pytest.raises(ValueError, match="before they exist"):
        MeanSumformer(("y.0",), (layer,), (), (), ("a",), np.ones((1, 1)), np.zeros(1))


@pytest.mark.parametrize("r", ["1/100", "1/10**6", "1/10**12"])
def test_a_slope_that_is_steep_at_an_end_is_bounded_by_little_more(r: str) -> None:
    """By balls alone the slope of sqrt(x + r) on [0, 1/64] is 1/(16 r), not 1/(2 sqrt(r))."""
    g = Smooth(ex.specialise(parse(f"sqrt(x+{r})", 1)[0], 2))
    true = 0.5 / float(g.numpy(np.zeros((1, 1)))[0])
    assert true <= ends(slope_range(g, (0.0, 1.0)))[1] <= 1.6 * true


@pytest.mark.parametrize("text", ["sqrt(x)", "log(x)", "1/x", "sqrt(x-1/3)", "1/(x-1/3)"])
def test_what_is_undefined_at_a_point_or_on_a_part_is_refused(text: str) -> None:
    g = Smooth(ex.specialise(parse(text, 1)[0], 2))
    with pytest.raises(Refused, match="could be undefined"):
        slope_range(g, (0.0, 1.0))
