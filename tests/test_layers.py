"""Contract tests: what every layer owes, run over the one table of layers."""

import inspect
import json
from dataclasses import FrozenInstanceError, fields
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import capas
from capas import nn
from capas.errors import CapasError
from capas.model import Model
from capas.nn.layer import type_registry
from capas.nn.plain import plainly
from capas.nn.walk import walk

from .layer_table import CASES, Case, merged

pytestmark = pytest.mark.usefixtures("strict_promotion")

every = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
refusing = pytest.mark.parametrize("case", [c for c in CASES if c.wrong_shape is not None], ids=lambda case: case.name)


def in_dtype(tree, dtype):
    return jax.tree.map(lambda a: jnp.asarray(a, dtype if np.issubdtype(a.dtype, np.floating) else None), tree)


def wide(tree):
    return jax.tree.map(lambda a: np.asarray(a, np.float64) if jnp.issubdtype(a.dtype, jnp.floating) else a, tree)


def close(found, wanted, factor=4):
    """Equal to within a few roundings of the largest entry."""
    epsilon = float(jnp.finfo(found.dtype).eps)
    scale = max(1.0, np.abs(wanted).max(initial=0))
    np.testing.assert_allclose(wide(found), wanted, rtol=0, atol=factor * epsilon * scale)


def form(a):
    return a.shape, a.dtype


def test_every_public_layer_is_in_the_table():
    public = {v for v in vars(nn).values() if isinstance(v, type) and issubclass(v, nn.Layer)}
    concrete = {kind for kind in public if not inspect.isabstract(kind)}
    assert concrete == {type(case.layer) for case in CASES}
    assert concrete == {kind for kind in type_registry.values() if kind.__module__.startswith("capas.")}


def test_every_row_has_a_name_of_its_own():
    assert len({case.name for case in CASES}) == len(CASES)


@partial(jax.jit, static_argnums=0, static_argnames="training")
def apply(layer, params, state, x, key=None, training=False):
    """Compiled once for every layer, and shared by the tests."""
    return layer.apply(params, state, x, key=key, training=training)


def weights(case: Case):
    """How much each number of the output counts in a sum."""
    return np.random.default_rng(3).normal(0.7, 1.0, (3, *case.output_shape))


@partial(jax.jit, static_argnums=0)
def weighed(layer, params, x, state, weights):
    """((weighed sum of the output, output), gradients by parameters and input)."""

    def total(inputs):
        y, _ = layer.apply(inputs[0], state, inputs[1])
        return jnp.vdot(weights, y), y

    return jax.value_and_grad(total, has_aux=True, allow_int=True)((params, x))


@every
def test_output_is_the_oracles(case: Case):
    (params, state), x = case.arrays(), case.examples()
    wanted = case.oracle(merged(params, state), x)
    with jax.enable_x64(True):
        (_, y), _ = weighed(case.layer, params, x, state, weights(case))
    assert y.dtype == "float64"
    close(y, wanted)
    assert y.shape == wanted.shape == (len(x), *case.output_shape)
    assert case.layer.output_shape(case.shape) == case.output_shape


@every
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_output_keeps_the_precision_of_the_input(case: Case, dtype):
    params, state, x = in_dtype((*case.arrays(), case.examples()), dtype)
    y, _ = apply(case.layer, params, state, x)
    assert y.dtype == dtype
    close(y, case.oracle(merged(*wide((params, state))), wide(x)))


def changes_in_training(case: Case):
    return any(isinstance(row.layer, (nn.BatchNorm, nn.Dropout)) for row in walk(case.layer, case.shape))


@every
def test_compiled_equals_eager_and_keeps_the_form_of_the_state(case: Case):
    training = changes_in_training(case)
    params, state, x = in_dtype((*case.arrays(), case.examples()), "float32")
    key = jax.random.key(0) if training else None
    y, new = case.layer.apply(params, state, x, key=key, training=training)
    assert jax.tree.map(form, new) == jax.tree.map(form, state)
    compiled = apply(case.layer, params, state, x, key=key, training=training)
    jax.tree.map(close, compiled, wide((y, new)))


@every
def test_only_batch_norm_and_dropout_know_of_training(case: Case):
    args = in_dtype((*case.arrays(), case.examples()), "float32")
    programs = [
        jax.make_jaxpr(partial(case.layer.apply, key=jax.random.key(0), training=training))(*args)
        for training in (False, True)
    ]
    assert (str(programs[0]) != str(programs[1])) == changes_in_training(case)


@every
def test_examples_do_not_see_each_other(case: Case):
    """Each row of a batch is what its example gives in a batch of its own copies."""
    params, state, x = in_dtype((*case.arrays(), case.examples()), "float32")
    x, y = np.asarray(x), wide(apply(case.layer, params, state, x)[0])
    for i in range(len(x)):
        copies, _ = apply(case.layer, params, state, np.stack([x[i]] * len(x)))
        close(copies, np.stack([y[i]] * len(x)))


@every
@pytest.mark.parametrize("count", [0, 1])
def test_small_batches(case: Case, count):
    args = in_dtype((*case.arrays(), case.examples(count)), "float32")
    y, _ = jax.eval_shape(case.layer.apply, *args)
    assert y.shape == (count, *case.output_shape)


@every
def test_gradients_are_those_of_finite_differences(case: Case):
    """Along a random direction for every array: the central difference errs by step² and by rounding / step."""
    step, rng = 1e-5, np.random.default_rng(2)
    leaves, treedef = jax.tree.flatten((case.arrays()[0], case.examples()))

    def objective(leaves):
        with jax.enable_x64(True):
            found = weighed(case.layer, *treedef.unflatten(leaves), case.arrays()[1], weights(case))
            return jax.tree.map(np.asarray, found)

    slopes = jax.tree.leaves(objective(leaves)[1])
    floating = [i for i, leaf in enumerate(leaves) if np.issubdtype(leaf.dtype, np.floating)]
    for i in floating:
        direction = rng.normal(0.7, 1.0, leaves[i].shape)
        moved = [[*leaves[:i], leaves[i] + by * direction, *leaves[i + 1 :]] for by in (step, -step)]
        (high, _), (low, _) = (objective(m)[0] for m in moved)
        np.testing.assert_allclose(np.vdot(slopes[i], direction), (high - low) / (2 * step), rtol=1e-7, atol=1e-7)


@every
def test_init_makes_the_declared_arrays(case: Case):
    params, state = jax.eval_shape(lambda: case.layer.init(jax.random.key(0), case.shape))
    declared = case.arrays()
    assert jax.tree.structure((params, state)) == jax.tree.structure(declared)
    assert jax.tree.map(lambda a: a.shape, (params, state)) == jax.tree.map(lambda a: a.shape, declared)


@every
def test_it_prints_as_the_call_that_makes_it(case: Case):
    assert eval(repr(case.layer), {"nn": nn}) == case.layer


@every
def test_json_gives_back_the_same_layer(case: Case):
    again = nn.from_json(json.loads(json.dumps(nn.to_json(case.layer))))
    assert again == case.layer
    assert hash(again) == hash(case.layer)
    assert repr(again) == repr(case.layer)


def test_layers_are_equal_only_if_they_print_the_same():
    layers = [case.layer for case in CASES]
    assert len(set(layers)) == len({repr(layer) for layer in layers})


@every
def test_layers_cannot_be_changed(case: Case):
    for field in fields(case.layer):
        with pytest.raises(FrozenInstanceError):
            setattr(case.layer, field.name, None)


@refusing
def test_a_wrong_shape_is_refused_with_its_path(case: Case):
    params, state = in_dtype(case.arrays(), "float32")
    x = jnp.zeros(case.wrong_shape)
    with pytest.raises(CapasError) as bare:
        case.layer.apply(params, state, x)
    inside = "/".join(bare.value.path)
    assert str(bare.value) == case.message.format(f" {inside!r}" if inside else "")
    nested = nn.Sequential(body=nn.Sequential(case.layer))
    with pytest.raises(CapasError) as caught:
        nested.apply({"body": {"0": params}}, {"body": {"0": state}}, x)
    assert str(caught.value) == case.message.format(f" {'/'.join(('body/0', *bare.value.path))!r}")


@every
def test_a_file_gives_back_every_array(case: Case, tmp_path):
    params, state = in_dtype(case.arrays(), "float32")
    Model(case.layer, case.shape, params, state).save(tmp_path / "m")
    loaded = capas.load(tmp_path / "m")
    assert loaded.network == case.layer
    assert jax.tree.structure((loaded.params, loaded.state)) == jax.tree.structure((params, state))
    jax.tree.map(np.testing.assert_array_equal, (loaded.params, loaded.state), (params, state))


@pytest.mark.parametrize("kind", [nn.MaxPool, nn.AvgPool])
@pytest.mark.parametrize("sizes", [(6, 8), (7, 9)])
def test_pools_that_tile_compute_and_differentiate_what_sliding_ones_do(kind, sizes):
    """What is over is cut off."""
    pool, x = kind((2, 2)), jax.random.normal(jax.random.key(3), (2, *sizes, 3)) + 0.5
    total = lambda x: jnp.sin(pool.apply({}, {}, x)[0]).sum()  # noqa: E731
    with plainly():
        plain = jax.value_and_grad(total)(x)
    for one, other in zip((total(x), jax.grad(total)(x)), plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_pool_slides_unless_it_is_differentiated():
    """Then XLA joins it with the convolution before it."""
    pool = lambda x: nn.MaxPool((2, 2)).apply({}, {}, x)[0].sum()  # noqa: E731
    programs = [jax.jit(f).lower(jnp.ones((2, 4, 4, 1))).as_text() for f in (pool, jax.grad(pool))]
    assert ["reduce_window" in program for program in programs] == [True, False]
