"""Blocks of paths on all devices of a process: each runs the program of one device, on blocks of its own.

One program over all devices, partitioned along the path axis (`jax.shard_map`), would be compiled once and not once a device. But
XLA optimises a partitioned program otherwise: on two simulated CPU devices a scenario of three venues had other last bits than on
one in 2% of its paths (three_venues_shock_24h, 300 paths, 24 steps, jaxlib 0.10.1). A path's bits do not depend on the machine,
so arrays are placed by `SingleDeviceSharding` instead.
"""

from typing import Any

import jax
from jax.sharding import SingleDeviceSharding


def placed(prepared: Any) -> list[Any]:
    """What every block needs, once on each device of this process; as it is where there is one."""
    devices = jax.local_devices()
    return [prepared] if len(devices) == 1 else [on(prepared, device) for device in devices]


def on(tree: Any, device: Any) -> Any:
    """A pytree with its arrays on a device."""
    place = SingleDeviceSharding(device)
    return jax.tree.map(lambda x: jax.device_put(x, place) if hasattr(x, "dtype") else x, tree)


__all__ = ["on", "placed"]
