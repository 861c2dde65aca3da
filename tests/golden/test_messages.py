"""What a command says when something is wrong, whole, against files; `scripts/test tests/golden --force-regen` writes them anew.

One wrong command a test, with everything in it that can be said at once.
"""

import pytest

from jaxrisk.cli import BAD_INPUT, main

SCENARIO = """
name = "wrong"
titel = "misspelt"
[run]
horizon = "24 hours"
step = "7min"
paths = 10.5
[assets.BTC]
price = "78000"
[market]
process = "gmb"
volatility = -0.6
[impact]
law = "power"
coefficient = 1.0
daily_volatility = 0.03
daily_volume = 3e10
resilience_half_life = "0min"
[venues.binance]
engine_time = "-5s"
[populations.retail]
venue = "binanse"
asset = "ETH"
side = "both"
kind = "lognormal"
open_interest = 1e9
median = 20.0
log_sd = -0.8
"""

COMMANDS = {
    "check": ["check", "wrong.toml", "missing.toml"],
    "run": ["run", "wrong.toml", "--sampling", "sobl", "--path", "5", "--market.volatilty", "0.5"],
    "run_unknown": ["run", "btc_24"],
    "sensitivity": ["sensitivity", "btc_24h", "--measure", "expected_shortfal(max_drawdwn, 1.5)", "--method", "bmp"],
    "design": ["design", "btc_24h", "--measure", "mean(open_interest_loss_usd)", "--budget", "-1", "--verify-paths", "10"],
    "rare_event": ["rare-event", "btc_24h", "--observable", "max_drawdown_indx", "--level", "1.2"],
    "reverse_stress": ["reverse-stress", "btc_24h", "--observable", "max_drawdown_index", "--level", "0", "--restarts", "0"],
    "parameters": ["parameters", "btc_24h", "--match", "market.volatilty"],
    "calibrate": ["calibrate", "--prices", "no.csv", "--out", "mine.toml", "--asset", ""],
    "attribute": [
        "attribute",
        "btc_24h",
        "--measure",
        "maen(max_drawdown_index)",
        "--what-if",
        "limits.cap=10",
        "--since",
        "btc_2020",
    ],
    "warn": ["warn", "btc_24h", "--threshold", "150%", "--branching", "0", "--venues.binnance.halt_move", "0.1"],
    "backtest": ["backtest", "nowhere.toml", "--data", "nowhere"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_said(name, tmp_path, monkeypatch, capsys, file_regression):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    (tmp_path / "wrong.toml").write_text(SCENARIO)
    assert main(COMMANDS[name]) == BAD_INPUT
    out, err = capsys.readouterr()
    assert out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.toml"]
    from jaxrisk.paths import shipped

    said = err.replace(str(tmp_path), "HERE").replace(str(shipped()), "SHIPPED")
    file_regression.check(said, encoding="utf-8")
