"""The command line from raw data to answers for raw data."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import capas
from capas.cli import main

RNG = np.random.default_rng(0)


def run(monkeypatch, capsys, *words):
    """What the command prints, what it complains about, and its exit code."""
    monkeypatch.setattr("sys.argv", ["capas", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        main()
    out, err = capsys.readouterr()
    return out, err, caught.value.code


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def flowers(folder):
    """200 rows: the kind is the color, unless the leaf is longer than 5; the price follows the leaf."""
    leaf, color = RNG.normal(4, 1, 200), RNG.choice(["red", "blue"], 200)
    kind = np.where(leaf > 5, "tree", np.where(color == "red", "rose", "iris"))
    pd.DataFrame({"leaf": leaf, "color": color, "kind": kind, "price": 3 * leaf + 7}).to_csv("flowers.csv", index=False)
    return folder / "flowers.csv"


def test_a_table_with_classes(flowers, monkeypatch, capsys):
    words = ("flowers.csv", "--target", "kind", "--epochs", 80, "--batch-size", 32, "--out", "kind.safetensors")
    out, _, code = run(monkeypatch, capsys, "train", *words)
    assert code == 0
    assert out.startswith("flowers.csv: 200 rows, 4 inputs, target 'kind': 3 classes\n")
    assert out.endswith("saved kind.safetensors\n")
    out, _, _ = run(monkeypatch, capsys, "evaluate", "kind.safetensors", "flowers.csv")
    values = dict(line.split() for line in out.splitlines())
    assert float(values["accuracy"]) > 0.9
    raw = pd.DataFrame({"price": 30.0, "leaf": [3.5, 3.5, 6.5], "color": ["red", "blue", "red"]})
    raw.to_csv("new.csv", index=False)
    run(monkeypatch, capsys, "predict", "kind.safetensors", "new.csv", "--out", "answers.csv")
    answers = pd.read_csv("answers.csv")
    assert list(answers.columns) == ["row", "class", "probability"]
    assert list(answers["row"]) == [0, 1, 2]
    assert ((answers["probability"] > 1 / 3) & (answers["probability"] <= 1)).all()


def test_a_table_with_numbers_from_a_json_network(flowers, monkeypatch, capsys):
    network = ["gelu", {"Dense": {"features": 16}}, "gelu"]
    (flowers.parent / "net.json").write_text(json.dumps(network[1:]))
    words = ("flowers.csv", "--target", "price", "--net", "net.json", "--epochs", 60, "--batch-size", 20)
    out, _, code = run(monkeypatch, capsys, "train", *words, "--learning-rate", 0.02)
    assert (code, "a number" in out) == (0, True)
    model = capas.load("model.safetensors")
    assert repr(model.network) == "nn.Sequential(nn.Dense(16), nn.Activation('gelu'), nn.Dense(1))"
    out, _, _ = run(monkeypatch, capsys, "evaluate", "model.safetensors", "flowers.csv")
    values = {name: float(value) for name, value in (line.split() for line in out.splitlines())}
    assert values["r2"] > 0.95
    out, _, _ = run(monkeypatch, capsys, "predict", "model.safetensors", "flowers.csv")
    prices = np.array([float(line.split(",")[1]) for line in out.splitlines()[1:]])
    truth = pd.read_csv("flowers.csv")["price"]
    assert np.sqrt(np.mean((prices - truth) ** 2)) == pytest.approx(values["rmse"], abs=1e-3)


def test_a_folder_of_images(folder, monkeypatch, capsys):
    for kind, low in (("dark", 0), ("light", 180)):
        (folder / "photos" / kind).mkdir(parents=True)
        for i in range(20):
            pixels = RNG.integers(low, low + 70, (6, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / kind / f"{i}.png")
    words = ("photos", "--net", "conv:4:3x3,relu,flatten", "--epochs", 15, "--batch-size", 8)
    _, _, code = run(monkeypatch, capsys, "train", *words)
    assert code == 0
    out, _, _ = run(monkeypatch, capsys, "predict", "model.safetensors", "photos/light")
    lines = [line.split(",") for line in out.splitlines()]
    assert lines[0] == ["file", "class", "probability"]
    assert [line[1] for line in lines[1:]] == ["light"] * 20
    out, _, _ = run(monkeypatch, capsys, "evaluate", "model.safetensors", "photos")
    assert out.splitlines()[1] == "accuracy 1.0000"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ("train", "flowers.csv"),
            "train: expected --target, the column to predict, for a table, got none. "
            "For example: capas train flowers.csv --target COLUMN",
        ),
        (
            ("train", "digits", "--target", "kind"),
            "train: expected no --target for digits, got 'kind'. --target and --task are for tables, --size is for folders of images.",
        ),
        (
            ("train", "nowhere"),
            "nowhere: expected fashion-mnist, digits, a folder, or a file that ends in .csv or .parquet, "
            "got nothing of that name. Check the path.",
        ),
        (("train", ".", "--size", "32"), "train: expected --size HEIGHTxWIDTH, got '32'. For example --size 32x32."),
        (
            ("train", "flowers.csv", "--target", "kind", "--net", "nets.json"),
            "nets.json: expected a JSON file, got [Errno 2] No such file or directory: 'nets.json'. Check the path and the syntax.",
        ),
        (
            ("train", "flowers.csv", "--target", "kind", "--out", "nowhere/model.safetensors"),
            "--out: expected a file in a folder that exists, got nowhere/model.safetensors. Make the folder first.",
        ),
        (
            ("evaluate", "bare.safetensors", "flowers.csv"),
            "bare.safetensors: expected a model that `capas train` wrote, which knows how to read raw data, got one "
            "without a preparation. Use it from Python: capas.load(path)(x).",
        ),
        (
            ("evaluate", "digits.safetensors", "nowhere"),
            "nowhere: expected fashion-mnist, digits, or a folder of class folders, got nothing of that name. Check the path.",
        ),
    ],
)
def test_what_the_user_can_mend_is_said_without_a_traceback(flowers, monkeypatch, capsys, words, text):
    capas.init(capas.nn.Dense(2), (3,)).save("bare.safetensors")
    images = capas.datasets.digits()
    metadata = {"preparation": capas.datasets.to_json(images.preparation)}
    net = capas.nn.Sequential(capas.nn.Flatten(), capas.nn.Dense(10))
    capas.init(net, images.preparation.input_shape, metadata=metadata).save("digits.safetensors")
    _, err, code = run(monkeypatch, capsys, *words)
    assert (err, code) == (f"capas: {text}\n", 1)


def test_images_of_another_kind_are_not_measured(folder, monkeypatch, capsys):
    preparation = capas.datasets.ImagePreparation((4, 4), mean=(0.0,), std=(1.0,), classes=("a", "b"))
    other = capas.datasets.to_json(preparation)
    net = capas.nn.Sequential(capas.nn.Flatten(), capas.nn.Dense(2))
    capas.init(net, (4, 4, 1), metadata={"preparation": other}).save("other.safetensors")
    _, err, code = run(monkeypatch, capsys, "evaluate", "other.safetensors", "digits")
    assert code == 1
    assert err == (
        "capas: digits: expected the images that the model was trained on, got images prepared differently. "
        "Evaluate on a folder of class folders instead.\n"
    )


def test_every_command_has_help(monkeypatch, capsys):
    for command in ("train", "predict", "evaluate", "demo"):
        out, _, code = run(monkeypatch, capsys, command, "--help")
        assert (code, f"capas {command}" in out) == (0, True)
