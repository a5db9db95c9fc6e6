"""Image files: folders of class folders to train on, files and folders to predict, and what is refused in them."""

import sys
from itertools import product

import numpy as np
import pytest
from PIL import Image

from capas import datasets
from capas.errors import ArgumentError, DataError, MissingExtraError

RANDOM = np.random.default_rng(0)


def save(path, image, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
    return path


def noise(*shape):
    return RANDOM.integers(0, 256, shape, np.uint8)


def gray(classes=("cat", "dog"), size=(4, 6)):
    """The preparation of a model of grayscale images: x = pixel / 127.5 - 1."""
    return datasets.ImagePreparation(size, (0.5,), (0.5,), classes)


def refused(function, *arguments):
    with pytest.raises(DataError) as caught:
        function(*arguments)
    return str(caught.value)


def test_each_folder_is_a_class_in_the_order_of_names(tmp_path):
    pixels = {name: noise(4, 6) for name in ("dog/2.png", "cat/b.png", "dog/10.PNG", "cat/a.png")}
    for name, image in pixels.items():
        save(tmp_path / name, image)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "cat" / ".thumbs").write_text("not an image")
    (tmp_path / "notes.txt").write_text("not an image either")
    data = datasets.image_folder(tmp_path)
    order = [pixels[name] for name in ("cat/a.png", "cat/b.png", "dog/10.PNG", "dog/2.png")]
    raw = np.stack(order)[..., None]
    np.testing.assert_array_equal(data.preparation.restore(data.train[0]), raw)
    shares = raw / 255
    np.testing.assert_allclose(data.train[0], (shares - shares.mean()) / shares.std(), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(data.train[1], np.array([0, 0, 1, 1], np.int32), strict=True)
    assert data.preparation == datasets.ImagePreparation.fit(raw, ("cat", "dog"))
    assert (data.name, data.source, data.test) == (tmp_path.name, str(tmp_path), None)
    assert str(data) == f"{tmp_path.name}: 4 images to train, 4×6×1, 2 classes, from {tmp_path}"


def test_one_colour_image_makes_all_of_them_colour(tmp_path):
    shade, colour = noise(4, 6), noise(4, 6, 3)
    save(tmp_path / "cat" / "1.png", shade)
    save(tmp_path / "dog" / "1.png", colour)
    data = datasets.image_folder(str(tmp_path))
    found = data.preparation.restore(data.train[0])
    np.testing.assert_array_equal(found[0], np.repeat(shade[..., None], 3, axis=-1))
    np.testing.assert_array_equal(found[1], colour)


def test_jpeg_files_are_read(tmp_path):
    rows, columns = np.mgrid[:16, :16]
    smooth = (8 * rows + 7 * columns).astype(np.uint8)
    for name, suffix in (("cat", "jpg"), ("dog", "JPEG")):
        save(tmp_path / name / f"1.{suffix}", smooth, format="JPEG", quality=95)
    found = datasets.image_folder(tmp_path)
    levels = found.preparation.restore(found.train[0])[..., 0].astype(int)
    assert np.abs(levels - smooth).max() <= 3


def test_images_of_mixed_sizes_are_resized_when_asked(tmp_path):
    """A plane stays a plane under bilinear interpolation, away from the borders."""
    for (name, height), width in product((("cat", 24), ("dog", 48)), (32, 96)):
        rows, columns = np.mgrid[:height, :width]
        plane = 20 + 100 * (rows + 0.5) / height + 100 * (columns + 0.5) / width
        save(tmp_path / name / f"{width}.png", np.round(plane).astype(np.uint8))
    data = datasets.image_folder(tmp_path, size=(12, 16))
    rows, columns = np.mgrid[:12, :16]
    expected = 20 + 100 * (rows + 0.5) / 12 + 100 * (columns + 0.5) / 16
    levels = data.preparation.restore(data.train[0])[..., 0].astype(float)
    np.testing.assert_allclose(levels[:, 1:-1, 1:-1], np.broadcast_to(expected[1:-1, 1:-1], (4, 10, 14)), atol=1.01)
    assert data.preparation.resized
    x, _ = datasets.read_images(tmp_path / "dog" / "96.png", data.preparation)
    np.testing.assert_array_equal(x[0], data.train[0][3])


def test_images_of_mixed_sizes_are_refused_otherwise(tmp_path):
    save(tmp_path / "cat" / "1.png", noise(4, 6))
    file = save(tmp_path / "dog" / "1.png", noise(6, 4))
    message = (
        f"{file}: expected an image of 4×6 pixels (height × width), got 6×4. "
        "Make all images one size, or train with size=(height, width), which resizes them."
    )
    assert refused(datasets.image_folder, tmp_path) == message
    assert refused(datasets.read_images, file, gray()) == message


@pytest.mark.parametrize("size", [(4,), (4, 0), (4, 6.0), (True, 4), [4, 6], 4, "4x6"])
def test_sizes_are_two_whole_numbers(tmp_path, size):
    with pytest.raises(ArgumentError) as caught:
        datasets.image_folder(tmp_path, size)
    assert str(caught.value) == (
        f"image_folder: expected size=(height, width) in whole pixels, or None, got {size!r}. "
        "For example size=(64, 64)."
    )


def test_a_folder_needs_class_folders(tmp_path):
    expected = f"{tmp_path}: expected a folder with one folder of images for each class, got "
    remedy = ". Put the images of each class into a folder with the name of the class."
    assert refused(datasets.image_folder, tmp_path) == f"{expected}no folder in it{remedy}"
    save(tmp_path / "cat" / "1.png", noise(4, 6))
    assert refused(datasets.image_folder, tmp_path) == (
        f"{tmp_path}: expected folders of at least two classes, got only 'cat'. "
        "Add another class, or name the folder that holds the class folders."
    )
    save(tmp_path / "2.JPG", noise(4, 6), format="JPEG")
    assert refused(datasets.image_folder, tmp_path) == f"{expected}the image '2.JPG' outside of them{remedy}"


@pytest.mark.parametrize(
    ("entry", "got"), [(None, "an empty folder"), ("notes.txt", "'notes.txt'"), ("more/1.png", "'more'")]
)
def test_class_folders_hold_images_and_nothing_else(tmp_path, entry, got):
    save(tmp_path / "cat" / "1.png", noise(4, 6))
    (tmp_path / "dog").mkdir()
    if entry is not None:
        save(tmp_path / "dog" / "1.png", noise(4, 6))
        save(tmp_path / "dog" / entry, noise(4, 6), format="PNG")
    message = (
        f"{tmp_path}/dog: expected image files (.png, .jpg, .jpeg) and nothing else, got {got}. "
        "Convert or remove what is not an image; a class without images has no folder."
    )
    assert refused(datasets.image_folder, tmp_path) == message
    assert refused(datasets.read_images, tmp_path / "dog", gray()) == message


@pytest.mark.parametrize(("name", "got"), [("absent", "No such file or directory"), ("file", "Not a directory")])
def test_a_folder_that_cannot_be_read_is_named(tmp_path, name, got):
    (tmp_path / "file").write_text("text")
    path = tmp_path / name
    message = f"{path}: expected a folder of images, got {got}. Check the path."
    assert refused(datasets.image_folder, path) == message
    assert refused(datasets.labelled_images, path, gray()) == message


@pytest.mark.parametrize("damage", ["text", "cut short", "other format", "absent"])
def test_files_that_are_no_images_are_named(tmp_path, damage):
    file = save(tmp_path / "dog" / "1.png", noise(40, 60))
    content = file.read_bytes()
    if damage == "text":
        file.write_text("not an image")
    elif damage == "cut short":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "other format":
        save(file, noise(4, 6), format="BMP")
    else:
        file.unlink()
    got = "No such file or directory" if damage == "absent" else "a damaged or foreign file"
    message = f"{file}: expected a PNG or JPEG image, got {got}. Repair, convert or remove the file."
    assert refused(datasets.read_images, file, gray()) == message
    if damage != "absent":
        save(tmp_path / "cat" / "1.png", noise(4, 6))
        assert refused(datasets.image_folder, tmp_path) == message


def palette(**options):
    image = Image.new("P", (6, 4), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    return image, options


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ((Image.new("1", (6, 4), 1), {}), [255]),
        ((Image.new("LA", (6, 4), (7, 255)), {}), [7]),
        ((Image.new("L", (6, 4), 7), {"transparency": 0}), [7]),
        ((Image.new("RGBA", (6, 4), (7, 8, 9, 255)), {}), [7, 8, 9]),
        ((Image.new("RGB", (6, 4), (7, 8, 9)), {"transparency": (0, 0, 0)}), [7, 8, 9]),
        (palette(), [200, 100, 50]),
        (palette(transparency=0), [200, 100, 50]),
        (palette(transparency=b"\xff\xff"), [200, 100, 50]),
    ],
)
def test_kinds_of_opaque_images_become_gray_or_colour(tmp_path, image, expected):
    image, options = image
    file = save(tmp_path / "1.png", image, **options)
    half = (0.5,) * len(expected)
    x, files = datasets.read_images(file, datasets.ImagePreparation((4, 6), half, half, ("cat",)))
    expected = np.broadcast_to(np.array(expected) / 127.5 - 1, (1, 4, 6, len(expected)))
    np.testing.assert_allclose(x, expected, rtol=0, atol=1e-6)
    assert files == [file]


@pytest.mark.parametrize(
    ("image", "got"),
    [
        ((Image.new("RGBA", (6, 4), (7, 8, 9, 254)), {}), "one with transparent pixels"),
        ((Image.new("LA", (6, 4), (7, 0)), {}), "one with transparent pixels"),
        (palette(transparency=1), "one with transparent pixels"),
        ((Image.new("L", (6, 4), 7), {"transparency": 7}), "one with transparent pixels"),
        ((Image.fromarray(np.full((4, 6), 700, np.uint16)), {}), "one of mode I;16"),
    ],
)
def test_what_gray_and_colour_cannot_hold_is_refused(tmp_path, image, got):
    image, options = image
    file = save(tmp_path / "1.png", image, **options)
    assert refused(datasets.read_images, file, gray()) == (
        f"{file}: expected an opaque image of 8 bits per channel, got {got}. "
        "Convert it: put a background behind it, or scale its values to 0 to 255."
    )


def test_images_are_turned_as_their_camera_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the first row of the file is the right side of the scene
    pixels = noise(6, 4)
    file = save(tmp_path / "1.png", pixels, exif=exif)
    x, _ = datasets.read_images(file, gray())
    np.testing.assert_allclose(x[0, ..., 0], pixels.T[:, ::-1] / 127.5 - 1, rtol=0, atol=1e-6)


def test_files_and_folders_are_read_in_the_order_given(tmp_path):
    names = ["z.png", "folder/b.png", "folder/a.png"]
    pixels = {name: noise(4, 6) for name in names}
    for name in names:
        save(tmp_path / name, pixels[name])
    x, files = datasets.read_images([str(tmp_path / "z.png"), tmp_path / "folder"], gray())
    order = ["z.png", "folder/a.png", "folder/b.png"]
    assert files == [tmp_path / name for name in order]
    expected = np.stack([pixels[name] for name in order])[..., None] / 127.5 - 1
    np.testing.assert_allclose(x, expected, rtol=0, atol=1e-6)
    assert x.dtype == np.float32


def test_a_gray_image_becomes_colour_for_a_model_of_colour_but_not_the_reverse(tmp_path):
    shade, colour = save(tmp_path / "gray.png", noise(4, 6)), save(tmp_path / "colour.png", noise(4, 6, 3))
    preparation = datasets.ImagePreparation((4, 6), (0.0, 0.5, 1.0), (1.0, 0.5, 2.0), ("cat",))
    x, _ = datasets.read_images(shade, preparation)
    levels = np.asarray(Image.open(shade))[None, ..., None] / 255
    np.testing.assert_allclose(x, (levels - [0, 0.5, 1]) / [1, 0.5, 2], rtol=0, atol=1e-6)
    assert refused(datasets.read_images, [shade, colour], gray()) == (
        f"{colour}: expected a grayscale image, like those of training, got a colour image. "
        "Convert it to grayscale, or train on colour images."
    )


def test_labels_are_the_class_indices_of_training(tmp_path):
    pixels = noise(4, 6)
    for name in ("dog/1.png", "ant/1.png", "ant/2.png"):
        save(tmp_path / name, pixels)
    x, y = datasets.labelled_images(tmp_path, gray(("ant", "bee", "dog")))
    np.testing.assert_array_equal(y, np.array([0, 0, 2], np.int32), strict=True)
    np.testing.assert_allclose(x, np.stack([pixels / 127.5 - 1] * 3)[..., None], rtol=0, atol=1e-6)
    assert refused(datasets.labelled_images, tmp_path, gray(("ant", "bee"))) == (
        f"{tmp_path}: expected class folders out of ant, bee, got 'dog'. "
        "Rename or move the folder, or train again with it."
    )


def test_evaluation_on_the_training_folder_gives_the_training_arrays(tmp_path):
    for name in ("cat/1.png", "dog/1.png", "dog/2.png"):
        save(tmp_path / name, noise(5, 5, 3))
    data = datasets.image_folder(tmp_path)
    x, y = datasets.labelled_images(tmp_path, data.preparation)
    np.testing.assert_array_equal(x, data.train[0], strict=True)
    np.testing.assert_array_equal(y, data.train[1], strict=True)


def test_a_folder_of_one_level_is_refused(tmp_path):
    for name in ("cat/1.png", "dog/1.png"):
        save(tmp_path / name, Image.new("L", (6, 4), 9))
    assert refused(datasets.image_folder, tmp_path) == (
        "images: expected pixels that differ, got 9 everywhere in channel 0. Check how the images were made."
    )


def test_image_files_need_pillow(tmp_path, monkeypatch):
    file = save(tmp_path / "1.png", noise(4, 6))
    for name in [name for name in sys.modules if name.startswith("PIL.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError) as caught:
        datasets.read_images(file, gray())
    assert str(caught.value) == (
        "datasets.image_folder: expected the package 'PIL' to be installed, got none. "
        "Install it with: pip install 'capas[data]'"
    )
