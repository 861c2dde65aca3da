"""Answers of interfaces and files put together by hand, as people keep them: read right, or refused in one line."""

import json
from pathlib import Path

import pytest

from jaxrisk.data.open_interest import read_history
from jaxrisk.problems import ConfigError

FILES = Path(__file__).parent / "files"


@pytest.mark.parametrize(
    "document, place",
    [
        (  # Bybit names the symbol once, above the rows
            {"result": {"symbol": "BTCUSD", "category": "inverse",
                        "list": [{"openInterest": "480000000", "timestamp": "1735516800000"}]}},
            'row 1, symbol = "BTCUSD"',
        ),
        (  # Binance, coin-margined: contracts, whose value is in coins
            [{"pair": "BTCUSD", "contractType": "PERPETUAL", "sumOpenInterest": "48000000", "sumOpenInterestValue": "80000.0",
              "timestamp": 1735516800000}],
            'row 1, pair = "BTCUSD"',
        ),
    ],
)  # fmt: skip
def test_contracts_of_a_dollar_are_no_open_interest_in_coins(document, place, tmp_path):
    (tmp_path / "oi.json").write_text(json.dumps(document))
    with pytest.raises(ConfigError, match=f"{place}: is of contracts that are settled in the coin"):
        read_history(tmp_path / "oi.json")
    text = json.dumps(document).replace("BTCUSD", "BTCUSDT")
    (tmp_path / "oi.json").write_text(text)
    assert len(read_history(tmp_path / "oi.json").coins) == 1
