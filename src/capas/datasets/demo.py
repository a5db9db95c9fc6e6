"""Real images for a first look: the best that is at hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ..errors import DataError, missing_extra
from .fashion import fashion_mnist
from .images import ImagePreparation, Images


def digits(seed: int = 0) -> Images:
    """1797 handwritten digits of 8×8 pixels, which scikit-learn brings along; a fifth of each class is for testing.

    Their 17 gray levels, 0 to 16, are stretched to 0 to 255, the range of image files.

    Args:
        seed: of the choice of test images.

    Raises `MissingExtraError` without scikit-learn.

    Source: E. Alpaydin, C. Kaynak, "Optical recognition of handwritten digits", UCI repository, 1998.

    Example:
        >>> from capas import datasets
        >>> x, y = datasets.digits().train
        >>> x.shape, x.dtype, y.shape, y.dtype
        ((1437, 8, 8, 1), dtype('float32'), (1437,), dtype('int32'))
    """
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise missing_extra("datasets.digits", "data", error) from error
    raw = load_digits()
    pixels = np.round(raw.images[..., None] * (255 / 16)).astype(np.uint8)
    y = raw.target.astype(np.int32)
    pixels, test_pixels, y, test_y = train_test_split(pixels, y, test_size=0.2, stratify=y, random_state=seed)
    preparation = ImagePreparation.fit(pixels, tuple("0123456789"))
    train, test = (preparation.apply(pixels), y), (preparation.apply(test_pixels), test_y)
    return Images("digits", "scikit-learn", preparation, train, test)


def demo_images(places: Iterable[str] | None = None) -> Images:
    """Fashion-MNIST if it is at hand, else the digits of scikit-learn; then `note` says why.

    Args:
        places: where to look for Fashion-MNIST, the internet included; `fashion_mnist_places()` if None.

    Raises `MissingExtraError` if Fashion-MNIST is not at hand and scikit-learn is not installed.

    Example:
        >>> from capas import datasets
        >>> data = datasets.demo_images(places=())
        >>> data.name, data.note.split(",")[0]
        ('digits', 'Fashion-MNIST: expected the files train-images-idx3-ubyte.gz')
    """
    try:
        return fashion_mnist(places)
    except DataError as error:
        return replace(digits(), note=str(error))
