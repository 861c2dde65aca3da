"""A traced function as one straight line of equations, of which only those are left that differ from path to path."""

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

MOST_ROUNDS = 16
"""Rounds of a loop inside a step up to which it is written out."""


class NotFusable(Exception):
    """Why something cannot be one kernel, in words that end a sentence."""


class Name:
    """What differs from path to path, or from step to step: known only when the program runs."""

    __slots__ = ("dtype", "shape")

    def __init__(self, shape, dtype) -> None:
        self.shape, self.dtype = tuple(shape), np.dtype(dtype)


class Equation(NamedTuple):
    """`found = primitive(given)`; `given` are names, or arrays that are the same for all paths."""

    primitive: Any
    params: dict[str, Any]
    given: tuple[Any, ...]
    found: tuple[Name, ...]


class Program(NamedTuple):
    """Equations in order, what they are applied to, and what is asked for (names, or arrays common to all paths)."""

    equations: tuple[Equation, ...]
    arguments: tuple[Name, ...]
    outputs: tuple[Any, ...]


def straight(function: Callable, *arguments: Any) -> tuple[Program, Any]:
    """`function` of arguments of one path (arrays or their shapes) as a program, and the structure of what it returns.

    What it computes of numbers that are the same for all paths is computed here, once.
    """
    traced, shape = jax.make_jaxpr(function, return_shape=True)(*arguments)
    names = tuple(Name(variable.aval.shape, variable.aval.dtype) for variable in traced.jaxpr.invars)
    line = _Line()
    found = line.inline(traced.jaxpr, traced.consts, names)
    return Program(tuple(line.equations), names, tuple(found)), jax.tree.structure(shape)


def needed(program: Program, wanted: set[int]) -> Program:
    """The program without equations that none of the outputs at these places depends on; other outputs become None."""
    outputs = tuple(value if place in wanted else None for place, value in enumerate(program.outputs))
    used, kept = {id(value) for value in outputs}, []
    for equation in reversed(program.equations):
        if any(id(name) in used for name in equation.found):
            kept.append(equation)
            used |= {id(value) for value in equation.given}
    return Program(tuple(reversed(kept)), program.arguments, outputs)


def uses(program: Program) -> set[int]:
    """Places of the arguments that a program needs."""
    read = {id(value) for equation in program.equations for value in equation.given} | {id(value) for value in program.outputs}
    return {place for place, name in enumerate(program.arguments) if id(name) in read}


def carried(program: Program, wanted: set[int]) -> set[int]:
    """Places of a state that have to be carried from step to step so that those wanted are known at the end.

    **Arguments:** `program`: one step, whose first arguments are the state before it and whose outputs are that after it.
    """
    while True:
        more = wanted | {place for place in uses(needed(program, wanted)) if place < len(program.outputs)}
        if more == wanted:
            return wanted
        wanted = more


def operations(program: Program) -> Counter:
    """How many numbers each primitive finds in one run of the program."""
    count: Counter = Counter()
    for equation in program.equations:
        count[equation.primitive.name] += sum(int(np.prod(name.shape)) for name in equation.found)
    return count


class _Line:
    """Equations as they are met, calls and short loops written out."""

    def __init__(self) -> None:
        self.equations: list[Equation] = []

    def inline(self, jaxpr, consts, given) -> list[Any]:
        values = dict(zip(jaxpr.constvars, consts, strict=True)) | dict(zip(jaxpr.invars, given, strict=True))
        read = lambda atom: np.asarray(atom.val, atom.aval.dtype) if isinstance(atom, core.Literal) else values[atom]
        for equation in jaxpr.eqns:
            values |= zip(equation.outvars, self.apply(equation, [read(atom) for atom in equation.invars]), strict=True)
        return [read(atom) for atom in jaxpr.outvars]

    def apply(self, equation, given) -> list[Any]:
        name, params = equation.primitive.name, equation.params
        if name in _SAME:
            return list(given)
        if name in _CALLS:
            inner = params[_CALLS[name]]
            return self.inline(inner.jaxpr, inner.consts, given)
        if not any(isinstance(value, Name) for value in given):
            return _now(equation, given)
        if name == "scan":
            return self.rounds(params, given)
        if name == "div" and not isinstance(given[1], Name) and jnp.issubdtype(given[1].dtype, jnp.floating):
            # a division costs a kernel many times what a product does: by what is common to all paths it is done here, once
            return [self.written(jnp.multiply, given[0], 1.0 / given[1])]
        found = tuple(Name(variable.aval.shape, variable.aval.dtype) for variable in equation.outvars)
        self.equations.append(Equation(equation.primitive, params, tuple(given), found))
        return list(found)

    def rounds(self, params, given) -> list[Any]:
        """A loop of few rounds, one after the other."""
        if params["length"] > MOST_ROUNDS:
            raise NotFusable(f"a step has a loop of {params['length']} rounds, and {MOST_ROUNDS} at most are written out")
        common, state, over = _of_a_loop(params, given)
        rounds = range(params["length"])
        rows: list[list[Any]] = [[] for _ in rounds]
        for turn in reversed(rounds) if params["reverse"] else rounds:
            taken = [self.written(lambda x, turn=turn: x[turn], values) for values in over]
            found = self.inline(params["jaxpr"].jaxpr, params["jaxpr"].consts, [*common, *state, *taken])
            state, rows[turn] = found[: len(state)], found[len(state) :]
        return [*state, *(self.written(lambda *rows: jnp.stack(rows), *values) for values in zip(*rows, strict=True))]

    def written(self, function: Callable, *given: Any) -> Any:
        """What a function of arrays returns, its equations added to the line."""
        traced = jax.make_jaxpr(function)(*(jax.ShapeDtypeStruct(np.shape(value), value.dtype) for value in given))
        return self.inline(traced.jaxpr, traced.consts, given)[0]


def _of_a_loop(params, given) -> tuple[list[Any], list[Any], list[Any]]:
    """Of what a scan is given: what is the same in all rounds, what goes from one to the next, and what has a row for each."""
    if "ft_in" in params:  # since JAX 0.12
        common, state, over = map(list, params["ft_in"].update(given).unpack())
        return common, state, over
    consts, carry = params["num_consts"], params["num_consts"] + params["num_carry"]
    return list(given[:consts]), list(given[consts:carry]), list(given[carry:])


def _now(equation, given) -> list[Any]:
    """What is the same for all paths, evaluated where the program is built; what hangs on no argument at all, as a constant."""
    primitive = equation.primitive
    bound = primitive.get_bind_params(equation.params)
    functions, params = bound if isinstance(bound, tuple) else ((), bound)  # the former until JAX 0.9
    if all(isinstance(value, np.ndarray) for value in given):
        with jax.ensure_compile_time_eval():
            found = primitive.bind(*functions, *map(jnp.asarray, given), **params)
        return [np.asarray(value) for value in (found if primitive.multiple_results else [found])]
    found = primitive.bind(*functions, *given, **params)
    return list(found) if primitive.multiple_results else [found]


_SAME = ("optimization_barrier", "stop_gradient", "copy", "copy_p")
_CALLS = {name: "jaxpr" for name in ("jit", "pjit", "closed_call", "remat", "checkpoint")}
_CALLS |= {"custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr"}

__all__ = ["Equation", "Name", "NotFusable", "Program", "carried", "needed", "operations", "straight", "uses"]
