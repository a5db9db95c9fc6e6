"""Image data sets: IDX files, downloads and their cache, Fashion-MNIST, digits, and how pixels are prepared."""

import gzip
import hashlib
import json
import struct
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from capas import datasets
from capas.datasets import fashion
from capas.datasets.fetch import cache_folder, fetch
from capas.errors import ArgumentError, DataError, MissingExtraError, ShapeError

NAMES = tuple(fashion.CHECKSUMS)
RANDOM = np.random.default_rng(0)


def idx(array, kind=8):
    """The bytes of an IDX file, by the format's description."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape) + array.tobytes()


def clothes():
    """Four files like those of Fashion-MNIST, with 12 + 5 images of noise, and their pixels and labels."""
    arrays = {}
    for part, n in (("train", 12), ("t10k", 5)):
        arrays[f"{part}-images-idx3-ubyte.gz"] = RANDOM.integers(0, 256, (n, 28, 28), np.uint8)
        arrays[f"{part}-labels-idx1-ubyte.gz"] = np.arange(n, dtype=np.uint8) % 10
    return {name: gzip.compress(idx(array)) for name, array in arrays.items()}, arrays


def write(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def absent(monkeypatch, package):
    """As if the package were not installed: nothing finds it."""

    class Finder:
        def find_spec(self, name, *_):
            if name == package:
                raise ModuleNotFoundError(name=name)

    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CAPAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "fashion-mnist"


@pytest.fixture
def known(monkeypatch):
    """Files whose checksums are taken for those of Fashion-MNIST."""
    files, arrays = clothes()
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    monkeypatch.setattr(fashion, "CHECKSUMS", sums)
    return files, arrays


@pytest.fixture
def serve():
    """A web server for a folder; the paths that it was asked for."""
    servers = []

    def start(folder):
        asked = []

        class Handler(SimpleHTTPRequestHandler):
            def log_request(self, *_):
                asked.append(self.path)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        return f"http://127.0.0.1:{server.server_port}", asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3), (4, 3, 2), (1,) * 64])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_files_give_the_array_that_was_written(tmp_path, shape, pack):
    array = RANDOM.integers(0, 256, shape, np.uint8)
    (tmp_path / "file").write_bytes(pack(idx(np.asarray(array))))
    found = datasets.read_idx(tmp_path / "file")
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, array, strict=True)


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"", "a file that starts with nothing"),
        (b"\0\0\x08", "a file that starts with 00 00 08"),
        (b"PK\3\4 and more", "a file that starts with 50 4b 03 04"),
        (b"\0\1\x08\1\0\0\0\1\7", "a file that starts with 00 01 08 01"),
        (idx(np.ones(2, ">f4"), kind=13), "a file that starts with 00 00 0d 01"),
        (idx(np.ones((1,) * 64, np.uint8)).replace(b"\x08\x40", b"\x08\x41", 1), "a file that starts with 00 00 08 41"),
        (b"\0\0\x08\2\0\0\0\1\0\0", "10 bytes, which end before the lengths of its 2 axes"),
        (idx(np.ones((2, 3), np.uint8))[:-1], "5 numbers where shape (2, 3) has 6"),
        (idx(np.ones((2, 3), np.uint8)) + b"\0", "7 numbers where shape (2, 3) has 6"),
        (b"\0\0\x08\3" + b"\xff" * 12, f"0 numbers where shape {(2**32 - 1,) * 3} has {(2**32 - 1) ** 3}"),
        (gzip.compress(idx(np.ones(9, np.uint8)))[:-9], "a damaged gzip file"),
        (gzip.compress(idx(np.ones(9, np.uint8))) + b"more", "a damaged gzip file"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\0\xff\xff\xff", "a damaged gzip file"),
        (None, "No such file or directory"),
    ],
)
def test_other_files_are_not_idx(tmp_path, content, got):
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DataError) as caught:
        datasets.read_idx(file)
    assert str(caught.value) == (
        f"{file}: expected an IDX file of unsigned bytes, got {got}. Fetch the file again, or name the right one."
    )


def test_the_cache_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("CAPAS_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.setenv("CAPAS_CACHE", "")
    assert cache_folder() == tmp_path / "xdg" / "capas"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == tmp_path / "home" / ".cache" / "capas"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == tmp_path / "home" / ".cache" / "capas"
    monkeypatch.setenv("CAPAS_CACHE", "relative")
    monkeypatch.chdir(tmp_path)
    assert cache_folder() == tmp_path / "relative"


def test_a_file_is_fetched_once(tmp_path, serve):
    content = RANDOM.bytes(200_000)
    address, asked = serve(write(tmp_path / "server", {"file": content}))
    target, checksum = tmp_path / "deep" / "cache" / "target", hashlib.sha256(content).hexdigest()
    for _ in range(2):
        fetch(f"{address}/file", target, checksum)
        assert target.read_bytes() == content
    assert asked == ["/file"]
    target.write_bytes(b"damaged")
    fetch(f"{address}/file", target, checksum)
    assert target.read_bytes() == content
    assert list(target.parent.iterdir()) == [target]


def test_a_wrong_checksum_leaves_the_cache_as_it_was(tmp_path):
    source, cache = tmp_path / "source", tmp_path / "cache"
    source.write_bytes(b"data")
    for before in ([], [cache / "target"]):
        with pytest.raises(DataError) as caught:
            fetch(source.as_uri(), cache / "target", "0" * 64)
        assert str(caught.value) == (
            f"{source.as_uri()}: expected a file with SHA-256 {'0' * 64}, got {hashlib.sha256(b'data').hexdigest()}. "
            "Try again: the download was cut short or changed on the way."
        )
        assert list(cache.iterdir()) == before
        (cache / "target").write_bytes(b"old")
    assert (cache / "target").read_bytes() == b"old"


def test_downloads_that_fail_say_why_and_leave_nothing(tmp_path, serve):
    address, _ = serve(write(tmp_path / "server", {}))
    target = tmp_path / "cache" / "target"
    for url, reason in (
        (f"{address}/absent", "HTTP Error 404: File not found"),
        ("gopher://127.0.0.1/file", "<urlopen error unknown url type: gopher>"),
        ("http://127.0.0.1:port/file", "nonnumeric port: 'port'"),
    ):
        with pytest.raises(DataError) as caught:
            fetch(url, target, "0" * 64)
        assert str(caught.value) == (
            f"{url}: expected a file to download to {target}, got {reason}. "
            "Check the connection and that the folder can be written."
        )
        assert list(target.parent.iterdir()) == []


def test_a_cache_that_cannot_be_a_folder_is_named(tmp_path):
    (tmp_path / "cache").write_bytes(b"a file")
    source = tmp_path / "source"
    source.write_bytes(b"data")
    target = tmp_path / "cache" / "target"
    with pytest.raises(DataError) as caught:
        fetch(source.as_uri(), target, hashlib.sha256(b"data").hexdigest())
    assert str(caught.value) == (
        f"{source.as_uri()}: expected a file to download to {target}, got [Errno 17] File exists: '{tmp_path}/cache'. "
        "Check the connection and that the folder can be written."
    )


def test_fashion_mnist_is_looked_for_in_the_system_then_the_cache_then_the_internet(cache):
    places = datasets.fashion_mnist_places()
    assert places[:2] == ("/usr/share/datasets/fashion-mnist", str(cache))
    assert [place.split("://")[0] for place in places[2:]] == ["https", "http"]


def test_the_default_places_are_the_ones_that_are_tried(tmp_path, cache, known, monkeypatch):
    write(tmp_path / "system", known[0])
    monkeypatch.setattr(fashion, "fashion_mnist_places", lambda: (str(tmp_path / "system"),))
    assert datasets.fashion_mnist().source == str(tmp_path / "system")
    assert datasets.demo_images().source == str(tmp_path / "system")


def test_the_first_place_with_all_files_is_used(tmp_path, cache, known):
    files, _ = known
    half = write(tmp_path / "half", dict(list(files.items())[:2]))
    places = [str(write(tmp_path / name, files)) for name in ("first", "second")]
    assert datasets.fashion_mnist([str(half), *places]).source == places[0]
    assert not cache.exists()


def test_fashion_mnist_is_downloaded_into_the_cache_and_found_there(tmp_path, cache, known, serve):
    files, arrays = known
    address, asked = serve(write(tmp_path / "server", files))
    places = (str(cache), address)
    data = datasets.fashion_mnist(places)
    assert data.source == address
    assert sorted(asked) == sorted(f"/{name}" for name in NAMES)
    assert {file.name: file.read_bytes() for file in cache.iterdir()} == files
    again = datasets.fashion_mnist(places)
    assert again.source == str(cache)
    assert len(asked) == 4
    assert datasets.fashion_mnist([address]).source == address
    assert len(asked) == 4
    for one, other in zip((*data.train, *data.test), (*again.train, *again.test), strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.preparation == data.preparation
    pixels = arrays["train-images-idx3-ubyte.gz"] / 255
    expected = ((pixels - pixels.mean()) / pixels.std())[..., None]
    np.testing.assert_allclose(data.train[0], expected, rtol=0, atol=1e-6)
    expected = ((arrays["t10k-images-idx3-ubyte.gz"] / 255 - pixels.mean()) / pixels.std())[..., None]
    np.testing.assert_allclose(data.test[0], expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(data.train[1], np.arange(12, dtype=np.int32) % 10, strict=True)
    np.testing.assert_array_equal(data.test[1], np.arange(5, dtype=np.int32), strict=True)
    assert data.preparation.classes[9] == "Ankle boot"
    assert str(data) == (f"Fashion-MNIST: 12 images to train and 5 to test, 28×28×1, 10 classes, from {address}")


def test_a_damaged_cache_is_fetched_anew(tmp_path, cache, known, serve):
    files, _ = known
    write(cache, files | {NAMES[2]: b"damaged"})
    address, asked = serve(write(tmp_path / "server", files))
    assert datasets.fashion_mnist((str(cache), address)).source == address
    assert asked == [f"/{NAMES[2]}"]
    assert (cache / NAMES[2]).read_bytes() == files[NAMES[2]]


def test_other_files_than_fashion_mnist_are_not_let_into_the_cache(tmp_path, cache):
    files, _ = clothes()
    server = write(tmp_path / "server", files).as_uri()
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError) as caught:
        datasets.fashion_mnist([str(empty), server])
    checksum = hashlib.sha256(files[NAMES[0]]).hexdigest()
    assert str(caught.value) == (
        f"Fashion-MNIST: expected the files {', '.join(NAMES)} in one of its places, "
        f"got {empty} (No such file or directory); {server} ({checksum}). "
        f"Install Debian's package dataset-fashion-mnist, or put the four files into {cache}."
    )
    assert list(cache.iterdir()) == []


def test_the_checksums_are_those_of_sha256():
    assert all(len(bytes.fromhex(checksum)) == 32 for checksum in fashion.CHECKSUMS.values())
    assert len(set(fashion.CHECKSUMS.values())) == 4


@pytest.mark.parametrize(
    ("images", "labels", "got"),
    [
        ((12, 27, 28), np.zeros(12, np.uint8), "images of shape (12, 27, 28) and labels of shape (12,) up to 0"),
        ((11, 28, 28), np.ones(12, np.uint8), "images of shape (11, 28, 28) and labels of shape (12,) up to 1"),
        ((12, 28, 28), np.full(12, 10, np.uint8), "images of shape (12, 28, 28) and labels of shape (12,) up to 10"),
        ((12, 28, 28), np.ones((3, 4), np.uint8), "images of shape (12, 28, 28) and labels of shape (3, 4) up to 1"),
        ((0, 28, 28), np.ones(0, np.uint8), "images of shape (0, 28, 28) and labels of shape (0,) up to 0"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(tmp_path, cache, images, labels, got):
    files, _ = clothes()
    files |= {NAMES[0]: idx(np.zeros(images, np.uint8)), NAMES[1]: idx(labels)}
    folder = write(tmp_path / "folder", files)
    with pytest.raises(DataError) as caught:
        datasets.fashion_mnist([str(folder)])
    assert str(caught.value) == (
        f"Fashion-MNIST: expected the files {', '.join(NAMES)} in one of its places, got {folder} ({got}). "
        f"Install Debian's package dataset-fashion-mnist, or put the four files into {cache}."
    )


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    raw = load_digits()
    data = datasets.digits()
    levels = np.concatenate([data.preparation.restore(x)[..., 0] for x, _ in (data.train, data.test)])
    labels = np.concatenate([data.train[1], data.test[1]])
    found = sorted((label, *pixels.ravel()) for label, pixels in zip(labels, levels, strict=True))
    expected = sorted(
        (label, *np.round(pixels.ravel() * 15.9375)) for label, pixels in zip(raw.target, raw.images, strict=True)
    )
    np.testing.assert_array_equal(found, expected)
    assert data.note == ""


def test_digits_are_split_by_class_and_seed():
    first, again, other = datasets.digits(), datasets.digits(), datasets.digits(seed=1)
    counts = np.bincount(np.concatenate([first.train[1], first.test[1]]))
    assert np.abs(np.bincount(first.test[1]) - counts / 5).max() < 1
    np.testing.assert_array_equal(first.test[0], again.test[0])
    assert not np.array_equal(first.test[1], other.test[1])


@pytest.mark.parametrize("feature", ["digits", "demo_images"])
def test_digits_need_scikit_learn(monkeypatch, feature):
    absent(monkeypatch, "sklearn")
    with pytest.raises(MissingExtraError) as caught:
        datasets.digits() if feature == "digits" else datasets.demo_images(places=())
    assert str(caught.value) == (
        "datasets.digits: expected the package 'sklearn' to be installed, got none. "
        "Install it with: pip install 'capas[data]'"
    )


def test_the_demo_uses_fashion_mnist_or_says_why_not(tmp_path, cache, known):
    folder = str(write(tmp_path / "folder", known[0]))
    data = datasets.demo_images([folder])
    assert (data.name, data.source, data.note) == ("Fashion-MNIST", folder, "")
    data = datasets.demo_images([str(cache)])
    assert (data.name, data.source) == ("digits", "scikit-learn")
    assert data.note == (
        f"Fashion-MNIST: expected the files {', '.join(NAMES)} in one of its places, "
        f"got {cache} (No such file or directory). "
        f"Install Debian's package dataset-fashion-mnist, or put the four files into {cache}."
    )
    assert (
        f"got no place to look in. Install Debian's package dataset-fashion-mnist, or put the four files into {cache}."
        in (datasets.demo_images(places=()).note)
    )


def test_training_images_get_mean_0_and_variance_1_in_each_channel():
    pixels = RANDOM.integers(0, 256, (7, 5, 6, 3), np.uint8) // np.array([1, 2, 5], np.uint8)
    preparation = datasets.ImagePreparation.fit(pixels, ["a", "b"])
    shares = pixels / 255
    np.testing.assert_allclose(preparation.mean, shares.mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(preparation.std, shares.std((0, 1, 2)), rtol=1e-12)
    expected = (shares - shares.mean((0, 1, 2))) / shares.std((0, 1, 2))
    x = preparation.apply(pixels)
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, expected, rtol=0, atol=2e-6)
    np.testing.assert_array_equal(preparation.restore(x), pixels, strict=True)
    np.testing.assert_array_equal(preparation.apply(pixels[0]), x[0])
    assert (preparation.size, preparation.channels, preparation.input_shape) == ((5, 6), 3, (5, 6, 3))
    assert preparation.classes == ("a", "b")
    assert preparation.resized is False


def test_moments_of_many_pixels_are_counted_in_parts():
    pixels = RANDOM.integers(0, 200, (1100, 64, 64, 1), np.uint8)
    pixels[:500] += 50
    preparation = datasets.ImagePreparation.fit(pixels, ("a",))
    np.testing.assert_allclose(preparation.mean, pixels.mean() / 255, rtol=1e-12)
    np.testing.assert_allclose(preparation.std, pixels.std() / 255, rtol=1e-12)


def test_restored_levels_stay_in_range():
    preparation = datasets.ImagePreparation((1, 2), (0.5,), (0.25,), ("a",))
    assert preparation.restore(np.array([[[[-9.0], [9.0]]]])).ravel().tolist() == [0, 255]


GRAY = datasets.ImagePreparation((4, 6), (0.5,), (0.5,), ("a",))


@pytest.mark.parametrize(
    ("function", "pixels", "error", "message"),
    [
        (
            GRAY.apply,
            np.zeros((2, 4, 6, 1), np.float32),
            DataError,
            "pixels of type uint8, from 0 to 255, got float32. "
            "Give it raw pixels; images that are prepared already go to the model as they are.",
        ),
        (
            GRAY.apply,
            np.zeros((2, 4, 6), np.uint8),
            ShapeError,
            "images of shape (4, 6, 1), got (2, 4, 6). Add the channel axis: pixels[..., None].",
        ),
        (
            GRAY.apply,
            np.zeros((2, 6, 4, 1), np.uint8),
            ShapeError,
            "images of shape (4, 6, 1), got (2, 6, 4, 1). Resize the images.",
        ),
        (
            lambda pixels: GRAY.fit(pixels, ("a",)),
            np.ones((2, 4, 6, 1), np.float64),
            DataError,
            "pixels of type uint8, from 0 to 255, got float64. "
            "Give it raw pixels; images that are prepared already go to the model as they are.",
        ),
        (
            lambda pixels: GRAY.fit(pixels, ("a",)),
            np.ones((2, 4, 6), np.uint8),
            ShapeError,
            "images of shape (n, height, width, channels), n at least 1, got (2, 4, 6). "
            "Add the channel axis: pixels[..., None].",
        ),
        (
            lambda pixels: GRAY.fit(pixels, ("a",)),
            np.ones((0, 4, 6, 1), np.uint8),
            ShapeError,
            "images of shape (n, height, width, channels), n at least 1, got (0, 4, 6, 1). Give it training images.",
        ),
    ],
)
def test_other_pixels_are_refused(function, pixels, error, message):
    with pytest.raises(error) as caught:
        function(pixels)
    assert str(caught.value) == f"ImagePreparation: expected {message}"


def test_a_channel_without_differences_is_refused():
    pixels = RANDOM.integers(0, 256, (2, 3, 3, 3), np.uint8)
    pixels[..., 1] = 77
    with pytest.raises(DataError) as caught:
        datasets.ImagePreparation.fit(pixels, ("a",))
    assert str(caught.value) == (
        "images: expected pixels that differ, got 77 everywhere in channel 1. Check how the images were made."
    )


def test_images_say_what_they_are():
    data = datasets.digits()
    assert str(data) == "digits: 1437 images to train and 360 to test, 8×8×1, 10 classes, from scikit-learn"
    assert (
        str(datasets.Images("own", "here", GRAY, data.train))
        == "own: 1437 images to train, 4×6×1, 1 classes, from here"
    )


def test_a_preparation_of_images_survives_json():
    data = datasets.digits()
    text = json.dumps(datasets.to_json(data.preparation))
    back = datasets.from_json(json.loads(text))
    assert back == data.preparation
    pixels = data.preparation.restore(data.test[0])
    np.testing.assert_array_equal(back.apply(pixels), data.test[0], strict=True)


KINDS = "CategoryColumn, ClassTarget, ImagePreparation, NumberColumn, NumberTarget, TablePreparation"


@pytest.mark.parametrize(
    ("description", "got"),
    [
        ({"os.system": {"command": "true"}}, '{"os.system": {"command": "true"}}'),
        ({"NumberColumn": [1, 2]}, '{"NumberColumn": [1, 2]}'),
        ({}, "{}"),
        ({"NumberColumn": {}, "ClassTarget": {}}, '{"NumberColumn": {}, "ClassTarget": {}}'),
        (["x" * 100], '["' + "x" * 78),
        ({"ClassTarget": {"name": "a", "values": [{"Other": {}}]}}, '{"Other": {}}'),
    ],
)
def test_unknown_descriptions_are_refused(description, got):
    with pytest.raises(ArgumentError) as caught:
        datasets.from_json(description)
    assert str(caught.value) == (
        f'description: expected {{"Kind": {{options}}}} with a kind out of {KINDS}, got {got}. '
        "Give it what datasets.to_json wrote."
    )


@pytest.mark.parametrize(
    ("options", "got"),
    [({}, "none"), ({"name": "a"}, "name"), ({"name": "a", "values": [], "new": 1}, "name, values, new")],
)
def test_options_are_those_of_the_kind(options, got):
    with pytest.raises(ArgumentError) as caught:
        datasets.from_json({"ClassTarget": options})
    assert str(caught.value) == (
        f"ClassTarget: expected the options name, values, got {got}. "
        "Give it what datasets.to_json wrote; a later version of capas may have written more."
    )


def test_only_preparations_become_json():
    with pytest.raises(ArgumentError) as caught:
        datasets.to_json(datasets.digits())
    assert str(caught.value) == (
        f"to_json: expected a preparation: {KINDS}, got Images. Give it the preparation of the data: data.preparation."
    )
