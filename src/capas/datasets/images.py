"""Images as arrays, and how raw pixels become a network's input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import DataError, ShapeError
from .description import described
from .idx import HostArray

Pair = tuple[HostArray, HostArray]


@described
@dataclass(frozen=True)
class ImagePreparation:
    """From raw pixels to a network's input, channel by channel: `x = (pixel / 255 - mean) / std`.

    Attributes:
        size: height and width of an image in pixels.
        mean: mean of pixel / 255 over the training images, one number per channel.
        std: standard deviation of pixel / 255 over the training images, one number per channel.
        classes: what each class index means.
        resized: whether images of other sizes are brought to `size`; if not, they are refused.

    Example:
        >>> import numpy as np
        >>> from capas import datasets
        >>> preparation = datasets.ImagePreparation((1, 2), mean=(0.5,), std=(0.25,), classes=("cat", "dog"))
        >>> preparation.apply(np.array([[[[0], [255]]]], np.uint8)).ravel()
        array([-2.,  2.], dtype=float32)
    """

    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...]
    resized: bool = False

    @classmethod
    def fit(cls, pixels: HostArray, classes: Sequence[str], resized: bool = False) -> ImagePreparation:
        """The preparation that gives training images mean 0 and variance 1 in each channel.

        Args:
            pixels: training images, uint8 of shape (n, height, width, channels).
            classes: what each class index means.
            resized: see the attribute.

        Raises `DataError` for pixels that are not uint8 or all equal in a channel, and `ShapeError` for another shape.

        Example:
            >>> import numpy as np
            >>> from capas import datasets
            >>> datasets.ImagePreparation.fit(np.array([[[[0], [255]]]], np.uint8), ("cat", "dog"))
            ImagePreparation(size=(1, 2), mean=(0.5,), std=(0.5,), classes=('cat', 'dog'), resized=False)
        """
        _require_bytes(pixels)
        if pixels.ndim != 4 or pixels.size == 0:
            raise ShapeError(
                "ImagePreparation",
                expected="images of shape (n, height, width, channels), n at least 1",
                got=str(pixels.shape),
                remedy="Add the channel axis: pixels[..., None]." if pixels.ndim == 3 else "Give it training images.",
            )
        mean, std = zip(*(_moments(pixels[..., c], c) for c in range(pixels.shape[-1])), strict=True)
        return cls((int(pixels.shape[1]), int(pixels.shape[2])), mean, std, tuple(classes), resized)

    @property
    def channels(self) -> int:
        """1 for grayscale, 3 for colour."""
        return len(self.mean)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Shape of one example: height, width, channels."""
        return (*self.size, self.channels)

    def apply(self, pixels: HostArray) -> HostArray:
        """Standardized images.

        Args:
            pixels: uint8 of shape (..., height, width, channels).

        Returns: float32 of the same shape.

        Raises `DataError` for pixels that are not uint8 and `ShapeError` for images of another shape.

        Example:
            >>> from capas import datasets
            >>> data = datasets.digits()
            >>> data.preparation.apply(data.preparation.restore(data.test[0])).shape
            (360, 8, 8, 1)
        """
        _require_bytes(pixels)
        if pixels.shape[-3:] != self.input_shape:
            raise ShapeError(
                "ImagePreparation",
                expected=f"images of shape {self.input_shape}",
                got=str(pixels.shape),
                remedy="Add the channel axis: pixels[..., None]."
                if pixels.shape[-2:] == self.input_shape[:2]
                else "Resize the images.",
            )
        x = pixels.astype(np.float32)
        # In place: Fashion-MNIST is 190 MB as float32, and each temporary would be as much again.
        x /= np.float32(255)
        x -= np.asarray(self.mean, np.float32)
        x /= np.asarray(self.std, np.float32)
        return x

    def restore(self, x: HostArray) -> HostArray:
        """The pixels, uint8, of prepared images; the inverse of `apply`."""
        levels = (x * np.asarray(self.std) + np.asarray(self.mean)) * 255
        return np.clip(np.round(levels), 0, 255).astype(np.uint8)


def _require_bytes(pixels: HostArray) -> None:
    if pixels.dtype != np.uint8:
        raise DataError(
            "ImagePreparation",
            expected="pixels of type uint8, from 0 to 255",
            got=str(pixels.dtype),
            remedy="Give it raw pixels; images that are prepared already go to the model as they are.",
        )


def _moments(values: HostArray, channel: int) -> tuple[float, float]:
    """Mean and standard deviation of pixel / 255, exact: they come from the counts of the 256 levels."""
    # In parts, since counting needs eight bytes for each pixel.
    parts = np.array_split(values, -(-values.size // 2**22))
    share = sum(np.bincount(part.ravel(), minlength=256) for part in parts) / values.size
    levels = np.arange(256) / 255
    mean = float(share @ levels)
    std = float(np.sqrt(share @ (levels - mean) ** 2))
    if np.count_nonzero(share) == 1:
        raise DataError(
            "images",
            expected="pixels that differ",
            got=f"{int(np.flatnonzero(share)[0])} everywhere in channel {channel}",
            remedy="Check how the images were made.",
        )
    return mean, std


@dataclass(frozen=True, eq=False)
class Images:
    """Prepared images with their classes.

    Attributes:
        name: what they are called.
        source: where they were found.
        preparation: how raw pixels became inputs, with the names of the classes.
        train: inputs (n, height, width, channels) float32, and class indices (n,) int32.
        test: the same for images kept away from training; None where there are none.
        note: why these images and not others, where there was a choice.

    Example:
        >>> from capas import datasets
        >>> print(datasets.digits())
        digits: 1437 images to train and 360 to test, 8×8×1, 10 classes, from scikit-learn
    """

    name: str
    source: str
    preparation: ImagePreparation
    train: Pair = field(repr=False)
    test: Pair | None = field(default=None, repr=False)
    note: str = ""

    def __str__(self) -> str:
        counts = f"{len(self.train[1])} images to train" + (f" and {len(self.test[1])} to test" if self.test else "")
        shape = "×".join(map(str, self.preparation.input_shape))
        return f"{self.name}: {counts}, {shape}, {len(self.preparation.classes)} classes, from {self.source}"
