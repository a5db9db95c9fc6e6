"""Chains, skips, branches and copies against the same network written out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capas import nn
from capas.errors import ShapeError
from capas.nn.layer import child_key, observing
from capas.nn.plain import plainly
from capas.nn.walk import walk

X = jax.random.normal(jax.random.key(9), (5, 6)) + 0.7


def by_hand(block, stacked, state, x, copies, **how):
    """The copies of a Repeat, one after another, with their slices of the stacked arrays."""
    states = []
    for i in range(copies):
        x, new = block.apply(
            *(jax.tree.map(lambda a, i=i: a[i], tree.get("block", {})) for tree in (stacked, state)), x, **how
        )
        states.append(new)
    return x, states


def count(jaxpr, name):
    """How often a primitive stands in a program, loops counted once."""
    found = 0
    for equation in jaxpr.eqns:
        found += equation.primitive.name == name
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            found += count(inner, name) if hasattr(inner, "eqns") else 0
    return found


@pytest.mark.parametrize(
    "block",
    [nn.Sequential(nn.Dense(6), "tanh"), nn.Residual(nn.Dense(6), scale=0.3), nn.Repeat(nn.Dense(6), 2)],
    ids=["chain", "residual", "repeat"],
)
def test_repeat_is_its_copies_one_after_another(block):
    layer = nn.Repeat(block, 4)
    params, state = layer.init(jax.random.key(0), (6,))

    def total(params, apply):
        return jnp.sin(apply(params)).sum()

    whole = lambda p: layer.apply(p, state, X)[0]  # noqa: E731
    parts = lambda p: by_hand(block, p, state, X, 4)[0]  # noqa: E731
    np.testing.assert_allclose(whole(params), parts(params), rtol=1e-5, atol=1e-6)
    slopes = [jax.grad(total)(params, apply) for apply in (whole, parts)]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), *slopes)


def test_repeat_keeps_statistics_of_every_copy():
    block = nn.Sequential(nn.Dense(6), nn.BatchNorm())
    layer = nn.Repeat(block, 3)
    params, state = layer.init(jax.random.key(0), (6,))
    y, new = layer.apply(params, state, X, training=True)
    expected, states = by_hand(block, params, state, X, 3, training=True)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    means = [s["1"]["mean"] for s in states]
    np.testing.assert_allclose(new["block"]["1"]["mean"], np.stack(means), rtol=1e-4, atol=1e-6)
    assert not np.allclose(means[0], means[1])


def test_repeat_gives_every_copy_a_dropout_of_its_own():
    layer = nn.Repeat(nn.Dropout(0.5), 2)
    kept = layer.apply({}, {}, jnp.ones((1000, 4)), key=jax.random.key(0), training=True)[0] > 0
    share = float(kept.mean())
    assert abs(share - 0.25) < 5 * np.sqrt(0.25 * 0.75 / 4000)


@pytest.mark.parametrize("copies", [2, 200])
def test_the_program_of_repeat_does_not_grow_with_depth(copies):
    layer = nn.Repeat(nn.Sequential(nn.Dense(6), "relu"), copies)
    params, state = layer.init(jax.random.key(0), (6,))
    program = jax.make_jaxpr(lambda p: layer.apply(p, state, X)[0])(params).jaxpr
    assert (count(program, "scan"), count(program, "dot_general")) == (1, 1)


def test_repeat_of_convolutions_is_a_loop_and_the_same():
    block = nn.Sequential(nn.Conv(3, (3, 3)), "relu")
    layer, x = nn.Repeat(block, 3), jnp.arange(75.0).reshape(1, 5, 5, 3) / 75
    params, state = layer.init(jax.random.key(0), (5, 5, 3))
    np.testing.assert_allclose(
        layer.apply(params, state, x)[0], by_hand(block, params, state, x, 3)[0], rtol=1e-5, atol=1e-6
    )
    compiled = jax.jit(layer.apply).lower(params, state, x).compile().as_text()
    assert "while" in compiled


@pytest.mark.parametrize("copies", [1, 7, 16])
@pytest.mark.parametrize("training", [False, True])
def test_signals_computed_anew_are_the_same(copies, training):
    """Outputs, statistics and gradients, with groups that come out even and that do not."""
    block = nn.Sequential(nn.BatchNorm(), "tanh", nn.Dropout(0.3), nn.Dense(6))
    plain, anew = (nn.Repeat(block, copies, remat=remat) for remat in (False, True))
    params, state = plain.init(jax.random.key(0), (6,))
    key = jax.random.key(1) if training else None

    def run(layer):
        def total(params):
            y, new = layer.apply(params, state, X, key=key, training=training)
            return (y**2).sum(), new

        return jax.value_and_grad(total, has_aux=True)(params)

    for one, other in zip(jax.tree.leaves(run(plain)), jax.tree.leaves(run(anew)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("block", [nn.Sequential("tanh", nn.Dense(64)), nn.Sequential("tanh", nn.Conv(64, (3,)))])
def test_signals_computed_anew_are_not_kept(block):
    x = jnp.ones((256, 64)) if isinstance(block.layers[1], nn.Dense) else jnp.ones((16, 16, 64))

    def memory(remat):
        layer = nn.Repeat(block, 64, remat=remat)
        params, state = layer.init(jax.random.key(0), x.shape[1:])
        slope = jax.jit(jax.grad(lambda p, x: layer.apply(p, state, x)[0].sum(), argnums=1))
        return slope.lower(params, x).compile().memory_analysis().temp_size_in_bytes / x.nbytes

    assert memory(remat=False) > 64
    assert memory(remat=True) < 40


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu", "mish", "hard_swish", "softplus"])
def test_a_loop_trains_as_its_plain_form_does(activation):
    layer = nn.Repeat(nn.Sequential(activation, nn.Dropout(0.2), nn.Dense(6)), 5)
    params, state = layer.init(jax.random.key(0), (6,))
    total = lambda p, x: (layer.apply(p, state, x, key=jax.random.key(1), training=True)[0] ** 2).sum()  # noqa: E731
    lean = jax.grad(total, argnums=(0, 1))(params, X)
    with plainly():
        plain = jax.grad(total, argnums=(0, 1))(params, X)
    for one, other in zip(jax.tree.leaves(lean), jax.tree.leaves(plain), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("block", "at_most"),
    [
        (["tanh", nn.Dense(64)], 1.2),
        (["relu", nn.Dense(64)], 1.2),
        ([nn.Dense(64), "relu"], 1.5),
        (["hard_swish", nn.Dense(64)], 1.2),
        (["gelu", nn.Dense(64)], 2.3),
        (["mish", nn.Dense(64)], 2.8),
    ],
)
def test_a_loop_keeps_what_is_dear_and_no_more(block, at_most):
    """Signals for every copy: what arrives, and tanh where it has a part; bits of comparisons behind a kernel."""
    layer, x = nn.Repeat(nn.Sequential(*block), 64), jnp.ones((256, 64))
    params, state = layer.init(jax.random.key(0), (64,))
    slope = jax.jit(jax.grad(lambda p, x: layer.apply(p, state, x)[0].sum(), argnums=(0, 1)))
    memory = slope.lower(params, x).compile().memory_analysis().temp_size_in_bytes
    assert memory / x.nbytes / 64 < at_most


def test_parameters_of_groups_that_come_out_even_are_not_copied():
    def copied(copies):
        layer = nn.Repeat(nn.Sequential("tanh", nn.Dense(128)), copies, remat=True)
        params, state = layer.init(jax.random.key(0), (128,))
        slope = jax.jit(jax.grad(lambda p, x: layer.apply(p, state, x)[0].sum()))
        memory = slope.lower(params, jnp.ones((2, 128))).compile().memory_analysis().temp_size_in_bytes
        return memory / sum(a.nbytes for a in jax.tree.leaves(params))

    assert copied(37) > 0.9  # a prime
    assert copied(40) < 0.4  # a group of them at a time


def test_every_layer_inside_is_observed_in_order():
    net = nn.Sequential(
        stem=nn.Dense(6),
        body=nn.Repeat(nn.Residual(nn.Sequential(nn.Dense(6), "tanh")), 2),
        ends=nn.Parallel((nn.Dense(2), "relu"), combine="concatenate"),
    )
    params, state = net.init(jax.random.key(0), (6,))
    seen = []
    with observing(lambda layer, y: seen.append((type(layer).__name__, y.shape))):
        y, _ = net.apply(params, state, X)
    inner = [("Dense", (5, 6)), ("Activation", (5, 6)), ("Sequential", (5, 6)), ("Residual", (5, 6))]
    ends = [("Dense", (5, 2)), ("Activation", (5, 6)), ("Parallel", (5, 8))]
    assert seen == [("Dense", (5, 6)), *inner, *inner, ("Repeat", (5, 6)), *ends]
    np.testing.assert_allclose(y, net.apply(params, state, X)[0], rtol=1e-5, atol=1e-6)


def test_an_error_in_an_observed_copy_has_its_whole_path():
    net = nn.Sequential(nn.Repeat(nn.Sequential(body=nn.Dense(6)), 3))
    params, state = net.init(jax.random.key(0), (6,))
    visits = []

    def refuse_the_second(layer, y):
        visits.append(layer)
        if visits.count(nn.Dense(6)) == 2:
            raise ShapeError("Dense", expected="one", got="two", remedy="Count.")

    with pytest.raises(ShapeError) as caught, observing(refuse_the_second):
        net.apply(params, state, X)
    assert str(caught.value) == "Dense '0/1/block/body': expected one, got two. Count."


def test_walk_lists_the_innermost_layers():
    net = nn.Sequential(nn.Dense(6), nn.Repeat(nn.Sequential(nn.Dense(6), nn.Repeat(nn.Dense(6), 3)), 2), nn.Flatten())
    rows = [(row.path, row.output_shape, row.copies) for row in walk(net, (4,))]
    assert rows == [("0", (6,), 1), ("1/block/0", (6,), 2), ("1/block/1/block", (6,), 6), ("2", (6,), 1)]


def test_children_draw_from_keys_of_their_own():
    key = jax.random.key(0)
    assert child_key(None, 3) is None
    assert not jnp.array_equal(jax.random.key_data(child_key(key, 0)), jax.random.key_data(child_key(key, 1)))
    net = nn.Sequential(nn.Dropout(0.5), nn.Dropout(0.5))
    kept = net.apply({}, {}, jnp.ones((1000, 4)), key=key, training=True)[0] > 0
    assert abs(float(kept.mean()) - 0.25) < 5 * np.sqrt(0.25 * 0.75 / 4000)


def test_names_of_layers_reach_the_compiled_program():
    net = nn.Sequential(encoder=nn.Sequential(nn.Dense(3), "tanh"))
    params, state = net.init(jax.random.key(0), (6,))
    text = jax.jit(lambda p: net.apply(p, state, X)[0]).lower(params).as_text(debug_info=True)
    assert "encoder/0/" in text
