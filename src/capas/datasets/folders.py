"""Images of one's own: a folder of class folders to train on, files and folders to predict."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..errors import ArgumentError, DataError
from .decode import channel_count, decode, stack
from .idx import HostArray
from .images import ImagePreparation, Images, Pair

Location = str | os.PathLike[str]

SUFFIXES = (".png", ".jpg", ".jpeg")


def image_folder(path: Location, size: tuple[int, int] | None = None) -> Images:
    """The PNG and JPEG files of a folder that has one folder for each class, all as training images.

    Classes and files are in the order of their names. Images are grayscale if all files are, else all are colour.
    They are turned as their camera says (EXIF).

    Args:
        path: the folder of class folders. Hidden files and folders are passed over.
        size: height and width to which all images are resized (bilinear; the shape is not kept). If None, all must have
            the same size, and so must those to predict.

    Raises `DataError` naming the folder or file that does not fit, `ArgumentError` for a size that is none, and
    `MissingExtraError` without Pillow.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> from capas import datasets
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name, level in [("dark", 10), ("light", 200)]:
        ...         Path(folder, name).mkdir()
        ...         Image.new("L", (6, 4), level).save(Path(folder, name, "1.png"))
        ...     data = datasets.image_folder(folder)
        >>> data.preparation.classes, data.train[0].shape, data.train[1]
        (('dark', 'light'), (2, 4, 6, 1), array([0, 1], dtype=int32))
    """
    _require_size(size)
    members = _class_files(Path(path))
    _require_two_classes(Path(path), members)
    files = [file for group in members.values() for file in group]
    images = [decode(file, size) for file in files]
    channels = max(channel_count(image) for image in images)
    first = images[0].shape
    pixels = stack(files, images, (first[0], first[1]), channels)
    preparation = ImagePreparation.fit(pixels, tuple(members), resized=size is not None)
    y = np.repeat(np.arange(len(members), dtype=np.int32), [len(group) for group in members.values()])
    return Images(Path(path).resolve().name, os.fspath(path), preparation, (preparation.apply(pixels), y))


def labelled_images(path: Location, preparation: ImagePreparation) -> Pair:
    """The images of a folder of class folders, prepared as in training, with their class indices: data to evaluate on.

    Args:
        path: the folder of class folders; each must be one of `preparation.classes`, and not all need be there.
        preparation: the one of the trained model.

    Returns: inputs (n, height, width, channels) float32, and class indices (n,) int32.

    Raises `DataError` naming the folder or file that does not fit, and `MissingExtraError` without Pillow.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> from capas import datasets
        >>> preparation = datasets.ImagePreparation((4, 6), (0.5,), (0.5,), classes=("dark", "light"))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Path(folder, "light").mkdir()
        ...     Image.new("L", (6, 4), 200).save(Path(folder, "light", "1.png"))
        ...     x, y = datasets.labelled_images(folder, preparation)
        >>> x.shape, y
        ((1, 4, 6, 1), array([1], dtype=int32))
    """
    members = _class_files(Path(path))
    for name in members:
        if name not in preparation.classes:
            raise DataError(
                os.fspath(path),
                expected=f"class folders out of {', '.join(preparation.classes)}",
                got=repr(name),
                remedy="Rename or move the folder, or train again with it.",
            )
    x, files = read_images([file for group in members.values() for file in group], preparation)
    return x, np.array([preparation.classes.index(file.parent.name) for file in files], np.int32)


def read_images(paths: Location | Iterable[Location], preparation: ImagePreparation) -> tuple[HostArray, list[Path]]:
    """Images prepared as in training.

    Args:
        paths: a PNG or JPEG file, a folder of them, or several of either.
        preparation: the one of the trained model. It says whether images of other sizes are resized or refused. Where
            it has three channels, a grayscale image becomes a colour image of grays.

    Returns: inputs (n, height, width, channels) float32, and the file of each.

    Raises `DataError` naming the file that does not fit, and `MissingExtraError` without Pillow.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> from capas import datasets
        >>> preparation = datasets.ImagePreparation((4, 6), (0.5,), (0.5,), classes=("dark", "light"))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("L", (6, 4), 255).save(Path(folder, "1.png"))
        ...     x, files = datasets.read_images(folder, preparation)
        >>> x.shape, float(x.max()), files[0].name
        ((1, 4, 6, 1), 1.0, '1.png')
    """
    several = [paths] if isinstance(paths, (str, os.PathLike)) else paths
    files = [file for path in map(Path, several) for file in (_files(path) if path.is_dir() else [path])]
    size = preparation.size if preparation.resized else None
    images = [decode(file, size) for file in files]
    return preparation.apply(stack(files, images, preparation.size, preparation.channels)), files


def _require_size(size: object) -> None:
    numbers = size if isinstance(size, tuple) and len(size) == 2 else (0, 0)
    if size is not None and not all(type(n) is int and n >= 1 for n in numbers):
        raise ArgumentError(
            "image_folder",
            expected="size=(height, width) in whole pixels, or None",
            got=repr(size),
            remedy="For example size=(64, 64).",
        )


def _require_two_classes(path: Path, members: dict[str, list[Path]]) -> None:
    if len(members) < 2:
        raise DataError(
            str(path),
            expected="folders of at least two classes",
            got=f"only {next(iter(members))!r}",
            remedy="Add another class, or name the folder that holds the class folders.",
        )


def _class_files(path: Path) -> dict[str, list[Path]]:
    folders = [entry for entry in _entries(path) if entry.is_dir()]
    loose = [entry.name for entry in _entries(path) if entry.suffix.lower() in SUFFIXES]
    if not folders or loose:
        raise DataError(
            str(path),
            expected="a folder with one folder of images for each class",
            got=f"the image {loose[0]!r} outside of them" if loose else "no folder in it",
            remedy="Put the images of each class into a folder with the name of the class.",
        )
    return {folder.name: _files(folder) for folder in folders}


def _files(folder: Path) -> list[Path]:
    files = _entries(folder)
    foreign = [file.name for file in files if file.is_dir() or file.suffix.lower() not in SUFFIXES]
    if foreign or not files:
        raise DataError(
            str(folder),
            expected=f"image files ({', '.join(SUFFIXES)}) and nothing else",
            got=repr(foreign[0]) if foreign else "an empty folder",
            remedy="Convert or remove what is not an image; a class without images has no folder.",
        )
    return files


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise DataError(
            str(folder), expected="a folder of images", got=f"{error.strerror}", remedy="Check the path."
        ) from error
