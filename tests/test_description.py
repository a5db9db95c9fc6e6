"""Networks as JSON and as text, for any network that can be written."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capas import nn
from capas.errors import ArgumentError

sizes = st.integers(1, 5)
simple = st.one_of(
    st.builds(nn.Dense, sizes, st.booleans()),
    st.sampled_from(sorted(nn.activations)).map(nn.Activation),
    st.builds(lambda slope: nn.Activation("leaky_relu", negative_slope=slope), st.floats(0.01, 0.9)),
    st.builds(nn.Conv, sizes, st.lists(sizes, min_size=1, max_size=3).map(tuple), dilation=sizes),
    st.builds(lambda lo, hi: nn.Conv(2, (3,), padding=((lo, hi),)), sizes, sizes),
    st.builds(nn.Shaped, st.sampled_from(sorted(nn.activations)), st.floats(0.01, 2), st.floats(-3, 3)),
    st.builds(nn.Dropout, st.floats(0, 0.9)),
    st.builds(nn.GroupNorm, sizes),
    st.builds(nn.MaxPool, st.just((2, 2)), stride=sizes),
    st.sampled_from([nn.Flatten(), nn.LayerNorm(), nn.BatchNorm(0.5), nn.PReLU(), nn.Reshape((2, 3)), nn.Softmax()]),
)
names = st.text("abcdefgh_", min_size=1, max_size=4)
networks = st.recursive(
    simple,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda layers: nn.Sequential(*layers)),
        st.dictionaries(names, inner, min_size=1, max_size=3).map(lambda named: nn.Sequential(**named)),
        st.builds(nn.Residual, inner, st.none() | inner, st.floats(0.1, 2)),
        st.builds(nn.Repeat, inner, sizes),
        st.builds(nn.Parallel, st.lists(inner, min_size=1, max_size=3).map(tuple), st.sampled_from(["sum", "mean"])),
    ),
    max_leaves=8,
)


@settings(deadline=None, derandomize=True)
@given(networks)
def test_every_network_comes_back_from_json_and_from_its_own_text(network):
    assert nn.from_json(json.loads(json.dumps(nn.to_json(network)))) == network
    assert eval(repr(network), {"nn": nn}) == network


def test_json_by_example():
    network = nn.Sequential(nn.Conv(8, (3, 3), stride=2), "relu", nn.Residual(nn.Dense(2), scale=0.5))
    assert nn.to_json(network) == {
        "Sequential": [
            {"Conv": {"features": 8, "window": [3, 3], "stride": 2}},
            "relu",
            {"Residual": {"block": {"Dense": {"features": 2}}, "scale": 0.5}},
        ]
    }


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("dense:256,relu,dense:10", nn.Sequential(nn.Dense(256), "relu", nn.Dense(10))),
        ("conv:8:3x3:stride=2, max_pool:2x2", nn.Sequential(nn.Conv(8, (3, 3), stride=2), nn.MaxPool((2, 2)))),
        ("conv:8:5x:padding=valid", nn.Sequential(nn.Conv(8, (5,), padding="valid"))),
        ("dropout:0.25,dense:3:bias=false", nn.Sequential(nn.Dropout(0.25), nn.Dense(3, bias=False))),
        ("leaky_relu:negative_slope=0.2", nn.Sequential(nn.Activation("leaky_relu", negative_slope=0.2))),
        ("batch_norm:1e-3,global_avg_pool", nn.Sequential(nn.BatchNorm(1e-3), nn.GlobalAvgPool())),
    ],
)
def test_short_text(text, network):
    assert nn.from_text(text) == network


@pytest.mark.parametrize(
    "description",
    [
        {"Dense": {"features": "__import__('os').system('false')"}},
        {"os.system": ["false"]},
        ["__import__('os').system('false')"],
        {"Activation": {"function": "eval"}},
    ],
)
def test_nothing_in_a_description_is_run(description):
    with pytest.raises(ArgumentError):
        nn.from_json(description)
