"""What XLA makes of a program on this machine, and how it is asked."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

np.empty(30 << 20, np.uint8)
"""Given back at once. glibc hands freed blocks to the system, which makes new pages of zeros at the next call of a
program, but for sizes that it has seen come and go (mallopt(3), M_MMAP_THRESHOLD; 32 MB at most)."""

Options = dict[str, bool | str]

ONEDNN: Options = {
    "xla_cpu_use_onednn": True,
    "xla_cpu_experimental_onednn_custom_call": True,
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_REDUCE",
}
"""Convolutions by oneDNN, sums by YNNPACK. Its products are no faster, and a ReLU in one of them makes 0 of NaN."""


def options() -> Options | None:
    """Options of `jax.jit` with which convolutions on a CPU are oneDNN's, where this JAX has it; else none.

    They are for programs that capas runs by itself: JAX refuses options inside of another program. Nor are there any
    where compiled programs are to be kept in a folder: JAX cannot write those with oneDNN.
    """
    is_kept = jax.config.jax_compilation_cache_dir is not None  # type: ignore[attr-defined]
    return ONEDNN if jax.default_backend() == "cpu" and not is_kept and _has_onednn() else None


@cache
def _has_onednn() -> bool:
    shapes = (8, 16, 16, 16), (3, 3, 16, 16)
    signal, kernel = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes)
    return "onednn$convolution" in _program(_convolve, ONEDNN, signal, kernel)


@cache
def has_half_products() -> bool:
    """Whether a product in bfloat16 stays clear of float32, as on all accelerators and some CPUs."""
    if jax.default_backend() != "cpu":
        return True
    matrix = jax.ShapeDtypeStruct((64, 64), jnp.bfloat16)
    return "f32[" not in _program(jnp.matmul, None, matrix, matrix)


def jit(function: Callable[..., Any], **settings: Any) -> Callable[..., Any]:
    """`jax.jit` with `options`, which are looked up at the first call."""

    @cache
    def compiled() -> Callable[..., Any]:
        return jax.jit(function, compiler_options=options(), **settings)

    @wraps(function)
    def call(*arguments: Any) -> Any:
        return compiled()(*arguments)

    return call


def _convolve(x: Any, kernel: Any) -> Any:
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _program(function: Callable[..., Any], options: Options | None, *shapes: jax.ShapeDtypeStruct) -> str:
    """As XLA runs it; empty, if it does not know the options."""
    try:
        return str(jax.jit(function, compiler_options=options).lower(*shapes).compile().as_text())
    except jax.errors.JaxRuntimeError:
        return ""
