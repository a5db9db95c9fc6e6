"""How well do default settings do on real images? Test accuracy of three small networks, nothing tuned.

Give names to run some of them: `accuracy.py mlp cnn digits`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import environment
import numpy as np
from sklearn.model_selection import train_test_split

import capas
from capas import datasets, nn

Arrays = tuple[np.ndarray, np.ndarray]


def fashion() -> tuple[Arrays, Arrays]:
    """Fashion-MNIST as it is divided by its authors."""
    images = datasets.fashion_mnist()
    return images.train, images.test


def digits() -> tuple[Arrays, Arrays]:
    """scikit-learn's digits; a stratified fifth is held out."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
    return (x_train, y_train), (x_test, y_test)


MLP = nn.Sequential(nn.Flatten(), nn.from_text("dense:512,relu,dense:512,relu,dense:10"))
CNN = nn.from_text("conv:32:3x3,relu,max_pool:2x2,conv:64:3x3,relu,max_pool:2x2,flatten,dense:10")
SMALL = nn.from_text("dense:128,relu,dense:128,relu,dense:10")
RUNS: dict[str, tuple[str, nn.Layer, Callable[[], tuple[Arrays, Arrays]], int]] = {
    "mlp": ("Fashion-MNIST, dense 512-512", MLP, fashion, 10),
    "cnn": ("Fashion-MNIST, convolutional 32-64", CNN, fashion, 5),
    "digits": ("digits, dense 128-128", SMALL, digits, 50),
}

if __name__ == "__main__":
    print(environment.describe())
    print(f"{'':<36}{'epochs':>7}{'seed':>6}{'test accuracy':>15}{'seconds':>9}")
    for name in sys.argv[1:] or RUNS:
        title, network, read, epochs = RUNS[name]
        train, test = read()
        for seed in (0, 1) if name != "cnn" else (0,):
            start = time.perf_counter()
            model = capas.init(network, train[0].shape[1:], seed=seed)
            model, _ = capas.fit(model, train, epochs=epochs, seed=seed, progress=False)
            accuracy = capas.evaluate(model, test)["accuracy"]
            print(f"{title:<36}{epochs:>7}{seed:>6}{accuracy:>15.4f}{time.perf_counter() - start:>9.0f}", flush=True)
