"""PNG and JPEG files as arrays of bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, missing_extra
from .idx import HostArray

GRAY_MODES = ("1", "L", "LA")
COLOUR_MODES = ("P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")


def decode(file: Path, size: tuple[int, int] | None) -> HostArray:
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
        # What is left of it says that all is opaque, and makes Pillow warn.
        image.info.pop("transparency", None)
        return image.convert("L" if image.mode in GRAY_MODES else "RGB")
    else:
        got = f"one of mode {image.mode}"
    raise DataError(
        str(file),
        expected="an opaque image of 8 bits per channel",
        got=got,
        remedy="Convert it: put a background behind it, or scale its values to 0 to 255.",
    )


def channel_count(image: HostArray) -> int:
    return 1 if image.ndim == 2 else 3


def stack(files: Sequence[Path], images: Sequence[HostArray], size: tuple[int, int], channels: int) -> HostArray:
    pixels = np.empty((len(files), *size, channels), np.uint8)
    for row, file, image in zip(pixels, files, images, strict=True):
        if image.shape[:2] != size:
            raise DataError(
                str(file),
                expected=f"an image of {size[0]}×{size[1]} pixels (height × width)",
                got=f"{image.shape[0]}×{image.shape[1]}",
                remedy="Make all images one size, or train with size=(height, width), which resizes them.",
            )
        if channel_count(image) > channels:
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
