"""One grammar for messages, and paths that grow on the way out."""

import pickle

import pytest

from capas.errors import ArgumentError, CapasError, DataError, MissingExtraError, ShapeError, located, missing_extra


def test_a_message_says_what_where_and_what_to_do():
    error = ShapeError("Dense", expected="x of shape (batch, 3)", got="(2, 4)", remedy="Transpose it.")
    assert str(error) == "Dense: expected x of shape (batch, 3), got (2, 4). Transpose it."
    assert isinstance(error, CapasError)


def test_every_room_adds_its_name_to_the_path():
    with pytest.raises(DataError) as caught, located("encoder"), located("2"), located("norm"):
        raise DataError("LayerNorm", expected="floats", got="int32", remedy="Cast them.")
    assert caught.value.path == ("encoder", "2", "norm")
    assert str(caught.value) == "LayerNorm 'encoder/2/norm': expected floats, got int32. Cast them."


def test_other_errors_pass_through_untouched():
    with pytest.raises(KeyError) as caught, located("encoder"):
        raise KeyError("x")
    assert caught.value.args == ("x",)


def test_errors_survive_a_process_boundary():
    with pytest.raises(ArgumentError) as caught, located("0"):
        raise ArgumentError("fit", expected="a", got="b", remedy="C.")
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again)) == (ArgumentError, "fit '0': expected a, got b. C.")


def test_a_missing_extra_is_named():
    with pytest.raises(MissingExtraError) as caught:
        raise missing_extra("Reading tables", "data", ImportError(name="pandas"))
    assert str(caught.value) == (
        "Reading tables: expected the package 'pandas' to be installed, got none. "
        "Install it with: pip install 'capas[data]'"
    )
