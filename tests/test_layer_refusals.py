"""Every refusal of `capas.nn` on its whole text. Wrong shapes of arrays are in the table of layers."""

import jax
import jax.numpy as jnp
import pytest

from capas import nn
from capas.errors import ArgumentError, CapasError, DataError, ShapeError

LAYERS = (
    "Activation, AvgPool, BatchNorm, Conv, ConvTranspose, Dense, Dropout, Embedding, Flatten, GlobalAvgPool, "
    "GlobalMaxPool, GroupNorm, InstanceNorm, LayerNorm, LogSoftmax, MaxPool, PReLU, Parallel, RMSNorm, Repeat, "
    "Reshape, Residual, Sequential, Shaped, Softmax, Swish, WeightStandardized"
)


def mine(x):
    return x.sum()


def start(layer, shape):
    return layer.init(jax.random.key(0), shape)


def call(layer, x, shape):
    params, state = start(layer, shape)
    return layer.apply(params, state, x)


READ = "The number of inputs is read from what comes in, and an activation is a layer of its own."

OPTIONS = [
    (
        lambda: nn.Dense(0),
        "Dense: expected features to be a whole number of at least 1, got 0. Give it as an int, for example "
        "features=2.",
    ),
    (
        lambda: nn.Dense(2.0),
        "Dense: expected features to be a whole number of at least 1, got 2.0. Give it as an int, for "
        "example features=2.",
    ),
    (
        lambda: nn.Dense(True),
        "Dense: expected features to be a whole number of at least 1, got True. Give it as an int, for "
        "example features=2.",
    ),
    (
        lambda: nn.Dense(784, 256),
        f"Dense: expected bias to be True or False, got 256. {READ}",
    ),
    (
        lambda: nn.Dense(10, "relu"),
        f"Dense: expected bias to be True or False, got 'relu'. {READ}",
    ),
    (
        lambda: nn.Conv(2, (3,), bias=0),
        f"Conv: expected bias to be True or False, got 0. {READ}",
    ),
    (
        lambda: nn.ConvTranspose(2, (3,), bias=None),
        f"ConvTranspose: expected bias to be True or False, got None. {READ}",
    ),
    *(
        (
            lambda kind=kind: kind(scale=0.5),
            f"{kind.__name__}: expected scale to be True or False, got 0.5. {READ}",
        )
        for kind in (nn.BatchNorm, nn.LayerNorm, nn.RMSNorm, nn.InstanceNorm)
    ),
    (
        lambda: nn.GroupNorm(2, bias=1),
        f"GroupNorm: expected bias to be True or False, got 1. {READ}",
    ),
    (
        lambda: nn.Repeat("relu", 3, 2),
        f"Repeat: expected remat to be True or False, got 2. {READ}",
    ),
    (
        lambda: nn.Activation(nn.Softmax),
        "Activation: expected a function of arrays, or its name, got <class 'capas.nn.activation.Softmax'>. Layers "
        "stand in a chain as they are.",
    ),
    (
        lambda: nn.Conv(2, (3, 0)),
        "Conv: expected window[1] to be a whole number of at least 1, got 0. Give it as an int, for example "
        "window[1]=2.",
    ),
    (
        lambda: nn.Repeat("relu", 0),
        "Repeat: expected copies to be a whole number of at least 1, got 0. Give it as an int, for example copies=2.",
    ),
    (
        lambda: nn.Conv(2, (3,), stride=0),
        "Conv: expected stride to be a whole number of at least 1, got 0. Give it as an int, for example stride=2.",
    ),
    (
        lambda: nn.Conv(2, (3, 3), dilation=(1, 2, 3)),
        "Conv: expected dilation to be a number or 2 of them, got (1, 2, 3). Give one per axis of the window.",
    ),
    (
        lambda: nn.MaxPool((2, 2), stride=[2, 2]),
        "MaxPool: expected stride to be a number or 2 of them, got [2, 2]. Give one per axis of the window.",
    ),
    (lambda: nn.Dropout(1), "Dropout: expected 0 <= rate < 1, got 1. Choose a Python number inside the interval."),
    (
        lambda: nn.Dropout("half"),
        "Dropout: expected 0 <= rate < 1, got 'half'. Choose a Python number inside the interval.",
    ),
    (
        lambda: nn.BatchNorm(momentum=-0.1),
        "BatchNorm: expected 0 <= momentum < 1, got -0.1. Choose a Python number inside the interval.",
    ),
    (
        lambda: nn.LayerNorm(epsilon=float("nan")),
        "LayerNorm: expected 0 <= epsilon < 1, got nan. Choose a Python number inside the interval.",
    ),
    (
        lambda: nn.Conv(3, (3,), groups=2),
        "Conv: expected a number of groups that divides the 3 output channels, got groups=2. Choose a divisor of 3.",
    ),
    (
        lambda: nn.Conv(2, 3),
        "Conv: expected window to be a tuple of 1, 2 or 3 sizes, one per axis, got 3. Write (3,) for "
        "sequences, (3, 3) for images, (3, 3, 3) for volumes.",
    ),
    (
        lambda: nn.AvgPool(()),
        "AvgPool: expected window to be a tuple of 1, 2 or 3 sizes, one per axis, got (). Write (3,) for "
        "sequences, (3, 3) for images, (3, 3, 3) for volumes.",
    ),
    (
        lambda: nn.Conv(2, (3,), padding="zeros"),
        "Conv: expected padding to be 'same', 'circular', 'valid' or a (low, high) pair of numbers >= 0 per "
        "axis, got 'zeros'. For example padding=((1, 1),).",
    ),
    (
        lambda: nn.ConvTranspose(2, (3, 3), padding="circular"),
        "ConvTranspose: expected padding to be 'same', 'valid' or a (low, high) pair of numbers >= 0 per "
        "axis, got 'circular'. For example padding=((1, 1), (1, 1)).",
    ),
    (
        lambda: nn.MaxPool((2,), padding=((1, -1),)),
        "MaxPool: expected padding to be 'same', 'valid' or a (low, high) pair of numbers >= 0 per axis, got "
        "((1, -1),). For example padding=((1, 1),).",
    ),
    (
        lambda: nn.AvgPool((3, 2), padding=((2, 2), (0, 2))),
        "AvgPool: expected padding narrower than the window (3, 2), got ((2, 2), (0, 2)). Pad less: a window "
        "of nothing but padding has no maximum and no mean.",
    ),
    (
        lambda: nn.Shaped(nn.Dense(2)),
        "Shaped: expected an activation: a name, a function of arrays, nn.PReLU or nn.Swish, got nn.Dense(2). Put "
        "other layers before or after it.",
    ),
    (
        lambda: nn.Shaped("tanh", gamma=float("inf")),
        "Shaped: expected gamma to be a finite number, got inf. Give it as a Python number, for example gamma=0.5.",
    ),
    (
        lambda: nn.Shaped("tanh", beta="1"),
        "Shaped: expected beta to be a finite number, got '1'. Give it as a Python number, for example beta=0.5.",
    ),
    (
        lambda: nn.Reshape((2, -1, -1)),
        "Reshape: expected a tuple of sizes, of which one may be -1, got (2, -1, -1). For example "
        "nn.Reshape((28, 28, 1)).",
    ),
    (
        lambda: nn.Reshape(4),
        "Reshape: expected a tuple of sizes, of which one may be -1, got 4. For example nn.Reshape((28, 28, 1)).",
    ),
    (
        lambda: nn.Parallel(("relu",), combine="max"),
        "Parallel: expected combine to be one of 'sum', 'mean', 'product', 'concatenate', got 'max'. Choose "
        "one of them.",
    ),
    (
        lambda: nn.Parallel(()),
        "Parallel: expected a tuple of at least one branch, got (). Write nn.Parallel((first, second)).",
    ),
    (
        lambda: nn.Sequential("relu", head=nn.Dense(2)),
        "Sequential: expected all layers with names or all without, got 1 without and 1 with. Name every layer.",
    ),
    (
        lambda: nn.Sequential(**{"a/b": "relu"}),
        "Sequential 'a/b': expected names without '/', got 'a/b'. Nest chains instead.",
    ),
    (
        lambda: nn.Sequential("relu", [nn.Dense(2)]),
        "nn '1': expected a layer, a function of arrays, or the name of an activation, got [nn.Dense(2)]. "
        "Put nn.Sequential(...) around lists.",
    ),
    (
        lambda: nn.Residual(nn.Flatten),
        "nn: expected a layer, a function of arrays, or the name of an activation, got <class "
        "'capas.nn.shape.Flatten'>. Write nn.Flatten(...).",
    ),
    (
        lambda: nn.Activation("rellu"),
        f"Activation: expected one of {', '.join(sorted(nn.activations))}, got 'rellu'. Pass the function "
        "itself, or give it a name first: nn.activations['mine'] = function.",
    ),
    (
        lambda: start(nn.WeightStandardized("relu"), (3,)),
        "WeightStandardized: expected a layer with a kernel, like nn.Dense or nn.Conv, got "
        "nn.Activation('relu'). Wrap the layers inside it one by one.",
    ),
    (
        lambda: start(nn.WeightStandardized(nn.LayerNorm()), (3,)),
        "WeightStandardized: expected a layer with a kernel, like nn.Dense or nn.Conv, got nn.LayerNorm(). "
        "Wrap the layers inside it one by one.",
    ),
]

SHAPES = [
    (
        lambda: nn.Dense(2).output_shape(()),
        "Dense: expected examples with a feature axis, got examples of shape (). Give each example an axis: "
        "x[:, None].",
    ),
    (
        lambda: nn.Sequential(a=nn.GlobalAvgPool(), b=nn.Sequential(nn.Reshape(()), nn.Softmax())).output_shape((4, 1)),
        "Softmax 'b/1': expected examples with a feature axis, got examples of shape (). Give each example "
        "an axis: x[:, None].",
    ),
    (
        lambda: nn.Conv(2, (3,)).output_shape((5,)),
        "Conv: expected examples of shape (length, channels), got (5,). Add the channel axis: x[..., None].",
    ),
    (
        lambda: nn.MaxPool((2, 2)).output_shape((5,)),
        "MaxPool: expected examples of shape (height, width, channels), got (5,). Reshape the input with "
        "nn.Reshape, or change the rank of the window.",
    ),
    (
        lambda: nn.Conv(2, (3, 3, 3)).output_shape((5, 5, 5)),
        "Conv: expected examples of shape (depth, height, width, channels), got (5, 5, 5). Add the channel "
        "axis: x[..., None].",
    ),
    (
        lambda: nn.ConvTranspose(2, (3,), padding=((2, 3),)).output_shape((3, 1)),
        "ConvTranspose: expected padding that leaves some of its (5,) positions, got ((2, 3),). Cut off "
        "less, or give it a longer signal.",
    ),
    (
        lambda: nn.Reshape((2, 3)).output_shape((7,)),
        "Reshape: expected examples that fill shape (2, 3), got (7,), 7 numbers. Change one of the two shapes.",
    ),
    (
        lambda: nn.Reshape((2, 3)).output_shape((12,)),
        "Reshape: expected examples that fill shape (2, 3), got (12,), 12 numbers. Change one of the two shapes.",
    ),
    (
        lambda: nn.Sequential(nn.Flatten(), mine).output_shape((2, 3)),
        f"Activation '1': expected {mine} to keep the batch axis of (2, 6), got an output of shape (). Write "
        "it for x of shape (batch, ...).",
    ),
    (
        lambda: nn.Parallel((nn.Conv(2, (1,)), nn.Flatten()), combine="concatenate").output_shape((3, 2)),
        "Parallel: expected branches of one shape but for their channels, got (3, 2), (6,). Change the last "
        'layer of a branch, or use combine="concatenate".',
    ),
    (
        lambda: nn.Repeat(nn.Sequential("relu", nn.Conv(2, (1, 1))), 2).output_shape((3, 2)),
        "Conv 'block/1': expected examples of shape (height, width, channels), got (3, 2). Add the channel "
        "axis: x[..., None].",
    ),
]

NUMBERS = [
    (
        lambda: call(nn.Dense(2), jnp.ones((1, 3), jnp.uint8), (3,)),
        "Dense: expected x of a floating type, got uint8. Write x.astype('float32'), and for images x / 255; "
        "turn categories into numbers with nn.Embedding.",
    ),
    (
        lambda: call(nn.Softmax(), jnp.ones((1, 3), int), (3,)),
        "Softmax: expected x of a floating type, got int32. Write x.astype('float32'), and for images x / 255; "
        "turn categories into numbers with nn.Embedding.",
    ),
    (
        lambda: call(nn.Sequential(nn.Embedding(3, 2)), jnp.ones((1, 3)), (3,)),
        "Embedding '0': expected integers that name symbols, got float32. Convert them: x.astype(int).",
    ),
    (
        lambda: call(nn.Embedding(3, 2), jnp.array([[0, 3, 1]]), (3,)),
        "Embedding: expected symbols from 0 to 2, got symbols from 0 to 3. Enlarge the vocabulary, or map "
        "unknown symbols to one that is kept for them.",
    ),
    (
        lambda: call(nn.Embedding(3, 2), jnp.array([[-1, 2, 1]]), (3,)),
        "Embedding: expected symbols from 0 to 2, got symbols from -1 to 2. Enlarge the vocabulary, or map "
        "unknown symbols to one that is kept for them.",
    ),
]

DESCRIPTIONS = [
    (
        lambda: nn.to_json(nn.Activation(mine)),
        f"Activation: expected a function with a name, to write it to JSON, got {mine!r}. Name it, here and "
        "where it is read: nn.activations['mine'] = function.",
    ),
    (
        lambda: nn.from_json([{"Dense": {"features": 2}}, {"Danse": {}}]),
        f'description \'1\': expected {{"Layer": {{options}}}} with a layer out of {LAYERS}, got {{"Danse": '
        f'{{}}}}. For example {{"Dense": {{"features": 10}}}}.',
    ),
    (
        lambda: nn.from_json({"Residual": {"block": [1]}}),
        "nn: expected a layer, a function of arrays, or the name of an activation, got (1,). Put "
        "nn.Sequential(...) around lists.",
    ),
    (
        lambda: nn.from_json({"Residual": {"block": {"Dense": {"width": 2}}}}),
        "Dense 'block': expected options as in Dense(features: 'int', bias: 'bool' = True) -> None, got an "
        "unexpected keyword argument 'width'. See help(capas.nn.Dense).",
    ),
    (
        lambda: nn.from_text("dense:8,danse:2"),
        "danse '1': expected an activation of nn.activations, or a layer out of "
        f"{', '.join(sorted(LAYERS.lower().split(', ')))}, got 'danse:2'. For example dense:256,relu,dense:10.",
    ),
    (
        lambda: nn.from_text("conv:8"),
        "Conv '0': expected options as in Conv(features: 'int', window: 'Shape', stride: 'PerAxis' = 1, "
        "dilation: 'PerAxis' = 1, groups: 'int' = 1, padding: 'Padding' = 'same', bias: 'bool' = True) -> "
        "None, got missing 1 required positional argument: 'window'. See help(capas.nn.Conv).",
    ),
]


@pytest.mark.parametrize(
    ("kind", "action", "text"),
    [
        (kind, *row)
        for kind, rows in (
            (ArgumentError, OPTIONS),
            (ShapeError, SHAPES),
            (DataError, NUMBERS),
            (ArgumentError, DESCRIPTIONS),
        )
        for row in rows
    ],
)
def test_refusals_say_it_all(kind, action, text):
    with pytest.raises(CapasError) as caught:
        action()
    assert str(caught.value) == text
    assert type(caught.value) is kind


def test_a_constant_inside_a_compiled_function_is_checked():
    """It arrives as an array there, and must not become a tracer on the way to its check."""
    params, _ = start(nn.Embedding(3, 2), (1,))
    inside, outside = jnp.array([[2]]), jnp.array([[3]])
    y = jax.jit(lambda p: nn.Embedding(3, 2).apply(p, {}, inside)[0])(params)
    assert y[0, 0].tolist() == params["weight"][2].tolist()
    with pytest.raises(DataError):
        jax.jit(lambda p: nn.Embedding(3, 2).apply(p, {}, outside))(params)


def test_compiled_embeddings_answer_unknown_symbols_with_nan():
    params, _ = start(nn.Embedding(3, 2), (1,))
    y, _ = jax.jit(nn.Embedding(3, 2).apply)(params, {}, jnp.array([[0], [3], [-1]]))
    assert jnp.isnan(y).all(axis=(1, 2)).tolist() == [False, True, True]
