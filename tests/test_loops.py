"""Loops are read like the same layers one by one, and turns that are alike only once."""

import numpy as np
import pytest

import capas
from capas import nn, weights
from capas.nn.walk import paths
from capas.signal import interpret

WIDTH, DEPTH = 64, 30
BLOCKS = {
    "relu": nn.Sequential("relu", nn.Dense(WIDTH)),
    "tanh": nn.Sequential("tanh", nn.Dense(WIDTH)),
    "sigmoid": nn.Sequential("sigmoid", nn.Dense(WIDTH)),
    "activation last": nn.Sequential(nn.Dense(WIDTH), "gelu"),
    "residual": nn.Residual(nn.Sequential("relu", nn.Dense(WIDTH))),
    "layer norm": nn.Sequential("relu", nn.Dense(WIDTH), nn.LayerNorm()),
}
MOMENTS = ("mean", "second", "cross", "gradient", "log_std")


def ends(body):
    return nn.Sequential(nn.Dense(WIDTH), *body, "relu", nn.Dense(10))


def readings(block, scheme):
    """The same network as a loop and one by one, with the kernels' laws of the loop."""
    loop, chain = ends([nn.Repeat(block, DEPTH)]), ends([block] * DEPTH)
    laws = weights.laws(loop, (WIDTH,), scheme)
    shape = (WIDTH,)
    by_path = dict(paths(laws))
    chosen = {
        path: Known(by_path[_looped(path)], len(by_path[_looped(path)].shape) - len(p.shape))
        for path, p in paths(chain.parameters(shape))
        if p.role == "kernel"
    }
    return (
        capas.propagate(loop, input_shape=shape, scheme=scheme),
        capas.propagate(chain, input_shape=shape, scheme=chosen),
    )


def _looped(path):
    first, *rest = path.split("/")
    place = int(first)
    if 1 <= place <= DEPTH:
        return "/".join(["1", "block", *rest])
    return "/".join([str(place - DEPTH + 1) if place > DEPTH else first, *rest])


class Known(weights.Scheme):
    """The law of a kernel of the loop."""

    def __init__(self, entries, copies):
        self.entries, self.copies = entries, copies

    def sample(self, key, kernel):
        raise NotImplementedError

    def law(self, kernel):
        mirrored = tuple((axis - self.copies, size) for axis, size in self.entries.mirrored)
        centred = tuple((axis - self.copies, size) for axis, size in self.entries.centred)
        structure = "orthogonal" if self.entries.orthogonal else "independent"
        return weights.Law(self.entries.mean, self.entries.std**2, structure, mirrored, centred)


@pytest.mark.parametrize("scheme", ["auto", weights.He(), weights.LeCun(gain=1.3)], ids=["auto", "He", "LeCun"])
@pytest.mark.parametrize("name", BLOCKS)
def test_a_loop_is_read_like_its_copies(name, scheme):
    loop, chain = readings(BLOCKS[name], scheme)
    assert len(loop.rows) == len(chain.rows)
    for one, other in zip(loop.rows, chain.rows, strict=True):
        for moment in MOMENTS:
            found, expected = getattr(one, moment), getattr(other, moment)
            assert found == expected or found == pytest.approx(expected, rel=1e-8, abs=1e-12), (one.path, moment)
    first, last = (chain.gradients[f"{path}/weight"] for path in ("0", f"{DEPTH + 2}"))
    assert loop.gradients["0/weight"] == pytest.approx(first, rel=1e-8)
    assert loop.gradients["3/weight"] == pytest.approx(last, rel=1e-8)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_loops_in_loops_are_read_like_one(activation):
    """Gradients of tanh and sigmoid grow from turn to turn, so that turns are multiples of each other."""
    block = nn.Sequential(activation, nn.Dense(WIDTH))
    nested, flat = (
        capas.propagate(ends([body]), input_shape=(WIDTH,))
        for body in (nn.Repeat(nn.Repeat(block, 3), 20), nn.Repeat(block, 60))
    )
    for one, other in zip(nested.rows, flat.rows, strict=True):
        for moment in MOMENTS:
            found, expected = getattr(one, moment), getattr(other, moment)
            assert found == expected or found == pytest.approx(expected, rel=1e-8, abs=1e-12), (one.path, moment)
    kernels = [flow.gradients[f"1/{path}/1/weight"] for flow, path in ((nested, "block/block"), (flat, "block"))]
    assert kernels[0] == pytest.approx(kernels[1], rel=1e-8)


@pytest.mark.parametrize(("name", "most"), [("relu", 6), ("residual", DEPTH)])
def test_turns_that_are_alike_are_read_once(name, most, monkeypatch):
    """Of the default weights of a plain network; not where the signal is another one in every turn."""
    runs = []
    run = interpret.Walk.run

    def counted(self, jaxpr, constants, inputs):
        runs.append(len(jaxpr.eqns))
        return run(self, jaxpr, constants, inputs)

    monkeypatch.setattr(interpret.Walk, "run", counted)
    net = ends([nn.Repeat(BLOCKS[name], DEPTH)])
    capas.propagate(net, input_shape=(WIDTH,), backward=False)
    bodies = sum(size == max(runs[1:4]) for size in runs)
    assert (bodies <= most) if name == "relu" else (bodies >= most)


def test_skips_around_activations_stay_affordable():
    """Every block makes its signal of two others; what nests in gradients is tabulated, not nested."""
    branch = nn.Sequential(nn.Dense(WIDTH), nn.BatchNorm(), "relu", nn.Dense(WIDTH), nn.BatchNorm())
    net = ends([layer for _ in range(8) for layer in ("relu", nn.Residual(branch))])
    flow = capas.propagate(net, input_shape=(WIDTH,), scheme=weights.He(), training=True)
    assert np.isfinite([row.gradient for row in flow.rows if row.gradient is not None]).all()
