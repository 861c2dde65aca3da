"""Functions of one path, number by number, against `jax.vmap`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrisk.cascade.cells import Table, array_of, evaluate, looked_up
from jaxrisk.cascade.straight import NotFusable, needed, operations, straight, uses

PATHS = 5
TABLE = jnp.asarray(np.random.default_rng(1).standard_normal((3, 2, 11)), jnp.float32)


def looked(x):
    """Rows of a common table by each path's own place, as the ladder looks up its tables."""
    cell = jnp.clip(jnp.floor(x[:, :2] * 3.0 + 4.0).astype(jnp.int32), 0, 10)
    return jnp.take_along_axis(TABLE, cell[..., None], axis=-1, mode="clip")[..., 0]


def rounds(x):
    return jax.lax.scan(lambda carry, row: (0.5 * carry + row, carry.sum()), x[0], x, length=3, reverse=True)


FUNCTIONS = {
    "entry by entry": lambda x: jnp.where(x > 0.0, jnp.exp(-x) / 3.0, jnp.clip(x**2, 0.1, 0.5)) - jnp.sqrt(jnp.abs(x)),
    "known choice": lambda x: jnp.where(jnp.eye(3, 4) > 0.0, x, -x),
    "rounded": lambda x: (jnp.round(4.0 * x) / 2.0, jax.lax.round(2.0 * jnp.round(x) + 0.5)),
    "shapes": lambda x: jnp.concatenate([x.T[:, ::-1][1:3], jnp.ones((2, 3))], axis=1)[:, 1::2].reshape(-1)[:, None] * x[0, :2],
    "sums": lambda x: (jnp.sum(x, axis=0), jnp.max(x), jnp.cumsum(x, axis=1), jnp.any(x > 0.5, axis=1), jnp.prod(x, axis=(0, 1))),
    "cumulated": lambda x: (jax.lax.cummax(x, axis=0, reverse=True), jax.lax.cummin(x, axis=1)),
    "places": lambda x: (jnp.argmax(x, axis=1), jnp.argmin(x, axis=0)),
    "stack": lambda x: jnp.stack([x[0], jnp.arange(4.0), x[2]], axis=1),
    "products": lambda x: (x @ jnp.ones((4, 2)), jnp.einsum("ij,kj->ik", x, x), jnp.einsum("bi,bi->b", x, x)),
    "split": lambda x: jnp.split(x, [1, 3], axis=1),
    "looked up": looked,
    "own": lambda x: jnp.take(x[0], jnp.argmax(x, axis=1), mode="clip"),
    "rounds": rounds,
    "common": lambda x: x * jnp.sum(TABLE) + x / jnp.max(TABLE),
}


@pytest.fixture(scope="module")
def drawn():
    return jnp.asarray(np.random.default_rng(0).standard_normal((PATHS, 3, 4)), jnp.float32)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_same_numbers_as_for_whole_arrays(name, drawn):
    program, structure = straight(FUNCTIONS[name], drawn[0])
    tables = {id(looked_up(equation)) for equation in program.equations} - {id(None)}

    def common(value):
        if id(value) in tables:
            return Table(lambda index: jnp.asarray(value).reshape(-1)[index], value.shape)
        return array_of(np.shape(value), lambda index: value[index])

    found = evaluate(program, common, [array_of((3, 4), lambda index: drawn[(slice(None), *index)])])
    expected, expected_structure = jax.tree.flatten(jax.vmap(FUNCTIONS[name])(drawn))
    assert structure == expected_structure
    for cells, values in zip(found, expected, strict=True):
        assert cells.shape == values.shape[1:]
        for index in np.ndindex(*cells.shape):
            np.testing.assert_allclose(cells[index], values[(slice(None), *index)], rtol=1e-5, atol=1e-6)


def cells_of(function, rows):
    """What a function finds for rows of numbers, number by number, each row a path."""
    program, _ = straight(function, rows[0])
    common = lambda value: array_of(np.shape(value), lambda index: value[index])
    return evaluate(program, common, [array_of(rows.shape[1:], lambda index: rows[(slice(None), *index)])])


def test_a_number_that_is_not_one_stays_so_where_the_machine_drops_it(monkeypatch):
    """The machine's own minimum and maximum give the other number, as those of a GPU do."""
    function = lambda x: (
        jnp.maximum(x, 0.0),
        jnp.minimum(x[0], x[1]),
        jax.lax.clamp(jnp.float32(0.1), x, jnp.float32(0.5)),
        jnp.max(x),
        jax.lax.cummin(x),
    )
    rows = jnp.asarray([[np.nan, 1.0], [0.3, np.nan], [-1.0, 2.0]], jnp.float32)
    expected = jax.vmap(function)(rows)

    def dropping(bind):
        def found(one, other, **params):
            return jnp.where(jnp.isnan(one), other, jnp.where(jnp.isnan(other), one, bind(one, other, **params)))

        return found

    with monkeypatch.context() as patch:
        for primitive in (jax.lax.max_p, jax.lax.min_p):
            patch.setattr(primitive, "bind", dropping(primitive.bind))
        assert float(jax.lax.max(jnp.float32(np.nan), jnp.float32(0.0))) == 0.0
        found = cells_of(function, rows)
    for cells, values in zip(found, expected, strict=True):
        for index in np.ndindex(*cells.shape):
            np.testing.assert_array_equal(cells[index], values[(slice(None), *index)])


def test_halves_go_away_from_zero_and_nothing_else_does():
    rows = jnp.asarray([[0.49999997], [-0.49999997], [0.5], [-2.5], [8388609.0], [-16777213.0]], jnp.float32)
    (cells,) = cells_of(jax.lax.round, rows)
    np.testing.assert_array_equal(cells[(0,)], [0.0, 0.0, 1.0, -3.0, 8388609.0, -16777213.0])


def test_what_is_common_to_all_paths_is_computed_once_and_what_is_not_asked_for_is_left_out():
    program, _ = straight(lambda x, y: (x * jnp.exp(jnp.sum(TABLE)), jnp.sin(y)), jnp.float32(1.0), jnp.float32(2.0))
    assert operations(program) == {"mul": 1, "sin": 1}
    first = needed(program, {0})
    assert operations(first) == {"mul": 1}
    assert uses(first) == {0}


def test_a_choice_among_too_many_is_refused(drawn):
    program, _ = straight(lambda x: jnp.take(jnp.concatenate([x, x]).reshape(-1), jnp.argmax(x[0]), mode="clip"), drawn[0])
    with pytest.raises(NotFusable, match="among 24 numbers"):
        evaluate(program, lambda value: array_of(np.shape(value), lambda i: value[i]), [array_of((3, 4), lambda i: drawn[0][i])])
