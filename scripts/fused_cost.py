"""What a path-step of the fused kernel costs, on paper: operations counted in the traced step, bytes, and what a GPU could do.

    python scripts/fused_cost.py                        # btc_24h and btc_shock_10pct
    python scripts/fused_cost.py btc_any_day --registers 96

An operation counts as so many instructions as a compiler for GPUs makes of it (WEIGHTS); what only moves numbers between
arrays is none. A GPU's limit is that of its issue slots, one instruction a cycle and scheduler for 32 paths.
"""

import argparse
import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxrisk.cascade import fused, prepare, seed_key
from jaxrisk.cascade.cells import looked_up
from jaxrisk.cascade.straight import NotFusable, operations

WEIGHTS = {"div": 8, "exp": 4, "log": 20, "sqrt": 5, "rsqrt": 5, "expm1": 15, "log1p": 20, "pow": 45, "tanh": 20, "erf_inv": 40,
           "sin": 20, "cos": 20, "logistic": 12, "rem": 20, "round": 6, "sign": 3, "gather": 4, "integer_pow": 2, "max": 3,
           "min": 3}  # fmt: skip
"""Instructions of operations that are not one."""
FREE = {"broadcast_in_dim", "reshape", "squeeze", "slice", "stack", "concatenate", "rev", "transpose", "expand_dims", "split",
        "bitcast_convert_type", "shift_left", "or"}  # fmt: skip
"""Numbers moved; and two of the three operations that make a rotation of bits, which is one instruction."""


class Machine(NamedTuple):
    """A GPU: multiprocessors of four schedulers each, clock under load in Hz, bytes a second of its memory, registers of one."""

    name: str
    multiprocessors: int
    clock: float
    bandwidth: float
    registers: int = 65_536
    threads: int = 2_048


MACHINES = (Machine("H100 SXM", 132, 1.755e9, 3.35e12), Machine("H200 SXM", 132, 1.755e9, 4.8e12))


class Cost(NamedTuple):
    """Of one path-step: `operations` by name, `instructions`, `lookups`; of a path: numbers `carried` in registers, bytes `moved`
    between registers and memory from the first step to the last."""

    operations: dict[str, int]
    instructions: int
    lookups: int
    carried: int
    moved: int

    def limit(self, machine: Machine) -> float:
        """Path-steps a second where every scheduler issues one instruction each cycle."""
        return 4 * machine.multiprocessors * machine.clock * 32 / self.instructions


def cost(prepared) -> Cost:
    """Counted in the step of a scenario made ready.

    **Raises:** `NotFusable` where it cannot be one kernel.
    """
    return eqx.filter_eval_shape(_counted, prepared)  # nothing is computed for a count


def _counted(prepared) -> Cost:
    plan = fused.plan_of(prepared, seed_key(1), jax.ShapeDtypeStruct((), jnp.uint32))
    found = dict(operations(plan.program).most_common())
    instructions = sum(count * (0 if name in FREE else WEIGHTS.get(name, 1)) for name, count in found.items())
    lookups = sum(math.prod(equation.found[0].shape) for equation in plan.program.equations if looked_up(equation) is not None)
    size = lambda places: sum(math.prod(plan.program.arguments[place].shape) for place in places)
    return Cost(found, instructions, lookups, size(plan.moving), 4 * (2 * size(plan.moving) + size(plan.still)))


def occupancy(machine: Machine, registers: int, block: int = 128) -> float:
    """Share of a multiprocessor's threads that are in flight where each takes so many registers."""
    return min(machine.threads, machine.registers // (registers * block) * block) / machine.threads


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", default=["btc_24h", "btc_shock_10pct"])
    parser.add_argument("--registers", type=int, help="of a thread, where a compiler has said so")
    arguments = parser.parse_args()
    import jaxrisk as jr

    for name in arguments.scenarios:
        scenario = jr.load(name)
        try:
            found = cost(prepare(scenario))
        except NotFusable as error:
            print(f"{name}: takes the scan: {error}")
            continue
        steps = scenario.settings.steps
        print(f"{name}: {sum(found.operations.values()):,} operations a path-step, some {found.instructions:,} instructions")
        print("  " + ", ".join(f"{name} {count}" for name, count in found.operations.items()))
        print(f"  {found.lookups} look-ups of 4 bytes, in cache; {found.carried} numbers carried in registers")
        print(f"  memory: {found.moved / steps:.2f} bytes a path-step over {steps:,} steps ({found.moved} a path)")
        for machine in MACHINES:
            print(f"  {machine.name}: instructions allow {found.limit(machine):.2g} path-steps a second, "
                  f"memory {machine.bandwidth / (found.moved / steps):.2g}")  # fmt: skip
            if arguments.registers:
                share = occupancy(machine, arguments.registers)
                print(f"    at {arguments.registers} registers {share:.0%} of the threads are in flight")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
