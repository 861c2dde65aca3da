"""A scenario of one asset and one venue, whose tables a test replaces."""

import pytest

from jaxrisk.toml import to_toml

VALID = {
    "run": {"horizon": "24h", "step": "1h", "paths": 100},
    "assets": {"BTC": {"price": 90000.0}},
    "market": {"process": "gbm", "volatility": 0.5},
    "impact": {"law": "power", "coefficient": 1.0, "daily_volatility": 0.03, "daily_volume": 3e10,
               "resilience_half_life": "30min"},
    "venues": {"binance": {"maintenance_rate": 0.005}},
    "populations": {
        "longs": {"kind": "lognormal", "venue": "binance", "asset": "BTC", "side": "both", "open_interest": 1e9, "median": 3.0,
                  "log_sd": 0.5}
    },
}  # fmt: skip


@pytest.fixture
def scenario(tmp_path):
    """`scenario(section=table)`: the path of a scenario with those sections in place of its own."""

    def written(**sections):
        path = tmp_path / "scenario.toml"
        document = VALID | {name: VALID[name] | table if name == "run" else table for name, table in sections.items()}
        path.write_text(to_toml(document))
        return path

    return written
