"""Images of one's own: a folder of class folders to train on, files and folders to predict."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, missing_extra
from .images import HostArray, ImagePreparation, Images, Pair

Location = str | os.PathLike[str]

SUFFIXES = (".png", ".jpg", ".jpeg")
GRAY_MODES = ("1", "L", "LA")
COLOUR_MODES = ("P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")


def image_folder(path: Location, size: tuple[int, int] | None = None) -> Images:
    """The PNG and JPEG files of a folder that has one folder for each class, all as training images.

    Classes and files are in the order of their names. Images are grayscale if all files are, else all are colour.
    They are turned as their camera says (EXIF).

    Args:
        path: the folder of class folders. Hidden files and folders are passed over.
        size: height and width to which all images are resized (bilinear; the shape is not kept). If None, all must have
            the same size, and so must those to predict.

    Raises `DataError` naming the folder or file that does not fit, and `MissingExtraError` without Pillow.

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
    members = _class_files(Path(path))
    files = [file for group in members.values() for file in group]
    images = [_decode(file, size) for file in files]
    channels = max(_channels(image) for image in images)
    first = images[0].shape
    pixels = _stack(files, images, (first[0], first[1]), channels)
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
    images = [_decode(file, size) for file in files]
    return preparation.apply(_stack(files, images, preparation.size, preparation.channels)), files


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


def _decode(file: Path, size: tuple[int, int] | None) -> HostArray:
    """The pixels of a file: (height, width) if grayscale, (height, width, 3) if colour."""
    image = _eight_bits(file, _open(file))
    if size is not None:
        image = image.resize(size[::-1], _pillow().Resampling.BILINEAR)
    return np.asarray(image)


def _open(file: Path) -> Any:
    Image = _pillow()
    from PIL import ImageOps

    try:
        with Image.open(file, formats=("PNG", "JPEG")) as image:
            return ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            str(file),
            expected="a PNG or JPEG image",
            got=getattr(error, "strerror", None) or "a damaged or foreign file",
            remedy="Repair, convert or remove the file.",
        ) from error


def _eight_bits(file: Path, image: Any) -> Any:
    """The image in mode L (gray) or RGB. What these two cannot hold, depth and transparency, is refused."""
    if image.has_transparency_data and image.convert("RGBA").getextrema()[3][0] < 255:
        got = "one with transparent pixels"
    elif image.mode in GRAY_MODES or image.mode in COLOUR_MODES:
        return image.convert("L" if image.mode in GRAY_MODES else "RGB")
    else:
        got = f"one of mode {image.mode}"
    raise DataError(
        str(file),
        expected="an opaque image of 8 bits per channel",
        got=got,
        remedy="Convert it: put a background behind it, or scale its values to 0 to 255.",
    )


def _channels(image: HostArray) -> int:
    return 1 if image.ndim == 2 else 3


def _stack(files: Sequence[Path], images: Sequence[HostArray], size: tuple[int, int], channels: int) -> HostArray:
    pixels = np.empty((len(files), *size, channels), np.uint8)
    for row, file, image in zip(pixels, files, images, strict=True):
        if image.shape[:2] != size:
            raise DataError(
                str(file),
                expected=f"an image of {size[0]}×{size[1]} pixels (height × width)",
                got=f"{image.shape[0]}×{image.shape[1]}",
                remedy="Make all images one size, or train with size=(height, width), which resizes them.",
            )
        if _channels(image) > channels:
            raise DataError(
                str(file),
                expected="a grayscale image, like those of training",
                got="a colour image",
                remedy="Convert it to grayscale, or train on colour images.",
            )
        row[...] = image if image.ndim == 3 else image[..., None]
    return pixels


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise missing_extra("datasets.image_folder", "data", error) from error
    return Image
