"""Fashion-MNIST: from the system, the cache, or the internet."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..errors import DataError
from .fetch import cache_folder, fetch
from .idx import HostArray, read_idx
from .images import ImagePreparation, Images

# SHA-256 of the four files whose MD5 the README of zalandoresearch/fashion-mnist states. Those of Debian hold the same
# numbers under another gzip header.
CHECKSUMS = {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def fashion_mnist_places() -> tuple[str, ...]:
    """Folders and addresses in which `fashion_mnist` looks, in this order.

    Debian's package, the cache folder, and the two official addresses: the repository of the data set (encrypted) and
    its bucket (not encrypted, which the checksum makes up for).

    Example:
        >>> from capas import datasets
        >>> datasets.fashion_mnist_places()[0]
        '/usr/share/datasets/fashion-mnist'
    """
    return (
        "/usr/share/datasets/fashion-mnist",
        str(_cache()),
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    )


def fashion_mnist(places: Iterable[str] | None = None) -> Images:
    """Fashion-MNIST: 60,000 + 10,000 grayscale images of clothes, 28×28, in 10 classes of equal size.

    Args:
        places: folders, and addresses to download from into the cache; `fashion_mnist_places()` if None.

    Returns: images standardized with the mean 0.2860 and standard deviation 0.3530 of the training pixels / 255.

    Raises `DataError` naming all places and what was wrong with each, if none has the data.

    Source: H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning
    algorithms", 2017.

    Example:
        >>> from capas import datasets
        >>> print(datasets.fashion_mnist())  # doctest: +SKIP
        Fashion-MNIST: 60000 images to train and 10000 to test, 28×28×1, 10 classes, from ...
    """
    tried = []
    for place in fashion_mnist_places() if places is None else places:
        try:
            return _images(_download(place) if "://" in place else Path(place), place)
        except DataError as error:
            tried.append(f"{place} ({error.got})")
    raise DataError(
        "Fashion-MNIST",
        expected=f"the files {', '.join(CHECKSUMS)} in one of its places",
        got="; ".join(tried) or "no place to look in",
        remedy=f"Install Debian's package dataset-fashion-mnist, or put the four files into {_cache()}.",
    )


def _cache() -> Path:
    return cache_folder() / "fashion-mnist"


def _download(address: str) -> Path:
    for name, checksum in CHECKSUMS.items():
        fetch(f"{address}/{name}", _cache() / name, checksum)
    return _cache()


def _images(folder: Path, source: str) -> Images:
    pixels, y = _part(folder, "train")
    test_pixels, test_y = _part(folder, "t10k")
    preparation = ImagePreparation.fit(pixels, CLASSES)
    train, test = (preparation.apply(pixels), y), (preparation.apply(test_pixels), test_y)
    return Images("Fashion-MNIST", source, preparation, train, test)


def _part(folder: Path, part: str) -> tuple[HostArray, HostArray]:
    pixels = read_idx(folder / f"{part}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{part}-labels-idx1-ubyte.gz")
    if labels.size == 0 or pixels.shape != (labels.size, 28, 28) or labels.ndim != 1 or labels.max() >= len(CLASSES):
        raise DataError(
            str(folder),
            expected="images of shape (n, 28, 28) and n labels from 0 to 9",
            got=f"images of shape {pixels.shape} and labels of shape {labels.shape} up to {labels.max(initial=0)}",
            remedy="Fetch the files again.",
        )
    return pixels[..., None], labels.astype(np.int32)
