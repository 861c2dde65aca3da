"""From nothing but files as exchanges publish them to a simulated result: calibrate, then run."""

import json
import shutil
import tomllib
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from jaxrisk.cli import OK, main

FILES = Path(__file__).parent / "files"


def month(folder, name, first, prices, scale):
    """Klines of a month, zipped, in twelve columns without header."""
    rows = []
    for i, (opening, close) in enumerate(pairwise(prices)):
        time, high, low = (first + 3600 * i) * scale, max(opening, close) * 1.0005, min(opening, close) * 0.9995
        rows.append(f"{time},{opening:.2f},{high:.2f},{low:.2f},{close:.2f},900.5,{time + 3600 * scale - 1},1,1,1,1,0")
    with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
        archive.writestr(f"{name}.csv", "\n".join(rows) + "\n")


@pytest.mark.slow
def test_calibrate_and_run(tmp_path, monkeypatch, capsys):
    """A folder of zipped klines, one of metrics, a venue's brackets and a clearinghouse's accounts; the file names each."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(3)
    moves = 0.6 / np.sqrt(8760) * random.standard_normal(91 * 24)
    moves += np.where(random.random(len(moves)) < 0.01, 0.04 * random.standard_normal(len(moves)), 0.0)
    prices = 90000.0 * np.exp(np.concatenate([[0.0], np.cumsum(moves)]))
    for folder in ("klines", "metrics"):
        Path(folder).mkdir()
    for part, (name, scale) in enumerate((("2024-11", 1000), ("2024-12", 1000), ("2025-01", 1_000_000))):
        first = 30 * 24 * part
        part_of = prices[first : first + 31 * 24 + 1]  # the last day of each comes again in the next
        month(Path("klines"), f"BTCUSDT-1h-{name}", 1730419200 + 3600 * first, part_of, scale)
    shutil.copy(FILES / "metrics.csv", "metrics/BTCUSDT-metrics-2024-12-30.csv")
    shutil.copy(FILES / "leverageBracket.json", "brackets.json")
    states = {}
    for i in range(300):
        value, leverage = 10 ** random.uniform(4, 7), min(np.exp(1.2 + 0.7 * random.standard_normal()), 40.0)
        size, gain = value * leverage / 90000.0 * (1 if i % 2 else -1), value * (0.05 + 0.1 * random.standard_normal())
        position = {"coin": "BTC", "szi": f"{size:.5f}", "entryPx": "90000", "positionValue": f"{abs(size) * 90000:.2f}",
                    "unrealizedPnl": f"{gain:.2f}", "leverage": {"type": "cross", "value": 50}, "marginUsed": "1"}  # fmt: skip
        states[f"0x{i:03x}"] = {
            "crossMarginSummary": {"accountValue": f"{value:.2f}"},
            "assetPositions": [{"position": position}],
        }
    Path("accounts.json").write_text(json.dumps(states))
    command = ["calibrate", "--prices", "klines", "--open-interest", "metrics", "--tiers", "brackets.json", "--accounts"]
    assert main([*command, "accounts.json", "--process", "merton", "--replications", "5", "--out", "mine.toml"]) == OK
    said = capsys.readouterr().out
    for words in (
        "klines: read as: 3 files, klines without header, zip, milliseconds, microseconds from 2024-12-31",
        "read as: time is create_time, open_interest is sum_open_interest",
        "read as: clearinghouseState, side is the sign of szi",
    ):
        assert words in " ".join(said.split()), said
    document = tomllib.loads(Path("mine.toml").read_text())
    venue = next(iter(document["venues"].values()))
    assert venue["tiers"].endswith("brackets.json")
    book = next(table for table in document["populations"].values())
    assert book["open_interest"] > 1e9
    assert main(["run", "mine.toml", "--paths", "128", "--steps", "48", "--out", "r.nc"]) == OK
    out, err = capsys.readouterr()
    assert "result: r.nc" in out
    assert "brackets.json: read as: Binance's leverageBracket" in err
