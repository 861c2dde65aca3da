"""Normals from words against `scipy`'s quantiles in double precision."""

import jax
import numpy as np
from scipy.special import ndtri

from jaxrisk.cascade.inverse_normal import normal_of_word


def quantile(words):
    return ndtri((words.astype(np.float64) + 0.5) / 2.0**32)


def test_within_a_millionth_and_a_half_out_to_six_deviations():
    drawn = np.random.default_rng(0).integers(0, 2**32, 500_000, dtype=np.uint32)
    ends = np.arange(50_000, dtype=np.uint32)
    tails = (2.0 ** np.linspace(0.0, 32.0, 50_001)[:-1]).astype(np.uint32)
    words = np.concatenate([drawn, ends, ~ends, tails, ~tails, np.uint32(2**31) + ends, np.uint32(2**31) - ends])
    found, expected = np.asarray(jax.jit(normal_of_word)(words), np.float64), quantile(words)
    assert expected.max() > 6.3
    assert np.abs(found - expected).max() < 1.5e-6
    assert (np.abs(found - expected) / np.maximum(np.abs(expected), 1.0)).max() < 5e-7


def test_both_sides_are_mirror_images():
    words = np.random.default_rng(1).integers(0, 2**32, 10_000, dtype=np.uint32)
    np.testing.assert_array_equal(normal_of_word(words), -np.asarray(normal_of_word(~words)))
