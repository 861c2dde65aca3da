"""Leverage of accounts: the correction of a sample's bias recovers a population, errors are right, and thin samples are told."""

import itertools
import math

import numpy as np
import pytest
from recorded import DATA

from jaxrisk.calibration.accounts.bias import SPLIT, Bias, corrected, gains_share, parse_bias
from jaxrisk.calibration.accounts.leverage import fit_leverage
from jaxrisk.calibration.accounts.weighted import lognormal_fit, weighted_quantile
from jaxrisk.config import ConfigError
from jaxrisk.holdings.account_file import AccountFile, read_accounts

SNAPSHOTS = DATA / "positions" / "perp_accounts_20260208_20260222.csv.gz"
needs_data = pytest.mark.skipif(not SNAPSHOTS.exists(), reason="the data folder is not beside the project")

HEADER = "account,coin,side,account_value_usd,notional_usd,unrealised_pnl_usd,leverage,snapshot\n"


def sample(value, notional, unrealised=None, side=None, set_leverage=math.inf):
    """One position of BTC an account, in one snapshot."""
    count = len(value)
    number = np.arange(count)
    return AccountFile(
        owner=number,
        holding=number,
        asset=np.full(count, "BTC"),
        side=np.full(count, "long") if side is None else side,
        notional=np.asarray(notional, float),
        unrealised=np.zeros(count) if unrealised is None else np.asarray(unrealised, float),
        value=np.asarray(value, float),
        total=np.asarray(notional, float),
        set_leverage=np.broadcast_to(float(set_leverage), (count,)),
        sample="made up",
        findings=(),
    )


def population(count=40_000, median=4.0, log_sd=0.7, seed=1):
    """Accounts of 1 million each with lognormal leverage at which they opened, and what they have gained since: zero-sum."""
    random = np.random.default_rng(seed)
    leverage = median * np.exp(log_sd * random.standard_normal(count))
    gains = 0.15 * random.standard_normal(count) * np.minimum(leverage, 4.0) * 1e6
    value = 1e6 + gains - np.mean(gains)
    kept = value > 0.0
    return leverage[kept] * 1e6, value[kept], (gains - np.mean(gains))[kept]


def test_a_lognormal_is_found_again():
    z = np.linspace(-3.0, 3.0, 4001)
    weights = np.exp(-0.5 * z**2)
    median, log_sd = lognormal_fit(5.0 * np.exp(0.6 * z), weights)
    assert median == pytest.approx(5.0, rel=1e-3)
    assert log_sd == pytest.approx(0.6, rel=1e-2)
    assert weighted_quantile([1.0, 2.0, 10.0], [1.0, 1.0, 8.0], 0.6) == pytest.approx(10.0)


def test_the_share_of_gains_makes_gains_and_losses_equal():
    accounts = sample([10.0, 10.0, 10.0], [1.0, 1.0, 1.0], unrealised=[3.0, 1.0, -1.0], set_leverage=9.0)
    share = gains_share(accounts)
    assert (1.0 - share) * 4.0 == pytest.approx(1.0)
    found = corrected(accounts, Bias(winners=True))
    assert found.leverage.tolist() == pytest.approx([1.0 / (10.0 - 0.75 * 3.0), 1.0 / (10.0 - 0.75), 0.1])
    assert gains_share(sample([10.0], [1.0], unrealised=[-1.0])) == 0.0


def test_nobody_is_given_more_leverage_than_was_set():
    accounts = sample([10.0, 10.0], [20.0, 60.0], unrealised=[30.0, 30.0], set_leverage=5.0)
    assert corrected(accounts, Bias(winners=True, share=1.0)).leverage.tolist() == pytest.approx([5.0, 6.0])


def test_the_winners_correction_recovers_the_leverage_at_which_was_opened():
    """Of a zero-sum population only those who gained are listed, with a tenth of the losers.

    The median at opening is that of all, within 4%; without correction it is a quarter too low. Over twelve seeds the corrected
    one was off by 0.7%, and by 1.2% at most: a right estimator fails with probability below 1e-4 for a new seed, which is fixed.
    """
    notional, value, gains = population()
    random = np.random.default_rng(2)
    listed = (gains > 0.0) | (random.random(len(gains)) < 0.1)
    accounts = sample(value[listed], notional[listed], gains[listed])
    # by account, not by notional: all had a million when they opened
    raw, chosen = (float(np.median(corrected(accounts, bias).leverage)) for bias in (Bias(), Bias(winners=True)))
    truth = float(np.median(notional)) / 1e6
    assert raw < 0.8 * truth
    assert chosen == pytest.approx(truth, rel=0.04)
    assert chosen == pytest.approx(float(np.median(notional / value)), rel=0.06)  # and near what all have now


def test_the_split_undoes_any_selection_by_bands_of_leverage():
    """High leverage is listed a third as often: weighted to the true split the distribution is the true one again.

    Within 3% where the uncorrected median is off by more than 15%; the standard error is 0.7% (four of them; fixed seed).
    """
    random = np.random.default_rng(3)
    leverage = 4.0 * np.exp(0.8 * random.standard_normal(60_000))
    edges = (0.0, 3.0, 7.0, math.inf)
    bands = tuple((a, b, float(np.mean((leverage >= a) & (leverage < b)))) for a, b in itertools.pairwise(edges))
    keep = random.random(len(leverage)) < np.select([leverage < 3.0, leverage < 7.0], [0.9, 0.6], 0.3)
    accounts = sample(1e6 / leverage[keep], np.full(keep.sum(), 1e6))
    fits = [lognormal_fit(w.leverage, w.weight) for w in (corrected(accounts, Bias()), corrected(accounts, Bias(split=bands)))]
    assert abs(fits[0][0] / 4.0 - 1.0) > 0.15
    assert fits[1][0] == pytest.approx(4.0, rel=0.03)
    assert fits[1][1] == pytest.approx(0.8, rel=0.06)
    found = corrected(accounts, Bias(split=bands))
    for (low, high, share), before in zip(bands, found.sample, strict=True):
        inside = (found.leverage >= low) & (found.leverage < high)
        assert found.weight[inside].sum() / found.weight.sum() == pytest.approx(share, rel=1e-6)
        assert before != pytest.approx(share, rel=0.05)


def test_standard_errors_are_those_of_new_samples():
    """The bootstrap's standard error of the median against the spread over 150 fresh samples of 200 accounts.

    A spread of 150 draws has an error of 6%, a bootstrap of one sample is off by about 15%: a factor of 1.6 either way is four
    standard deviations (false failure below 1e-3; fixed seed). Weighting positions as if independent, with five snapshots of
    each account, would be off by a factor of 2.2.
    """
    random = np.random.default_rng(4)

    def draw():
        leverage = np.repeat(5.0 * np.exp(0.7 * random.standard_normal(200)), 5)
        one = sample(1e5 / leverage, np.full(1000, 1e5))
        return one._replace(owner=np.repeat(np.arange(200), 5))

    medians = [lognormal_fit(a.total / a.value, a.notional)[0] for a in (draw() for _ in range(150))]
    fit = fit_leverage(draw(), Bias(), ["BTC"], replications=200).fits["BTC", "retail", "long"]
    assert 1 / 1.6 < fit.errors["median"] / np.std(medians) < 1.6
    assert fit.accounts == 200
    assert fit.problems == ()


def test_a_thin_sample_is_not_identified():
    few = fit_leverage(sample([1e4] * 6, np.arange(1, 7) * 1e4), Bias(), ["BTC"], 20).fits["BTC", "retail", "long"]
    assert "6 accounts" in few.problems[0]
    giant = sample([1e4] * 40, [1e4 * 1.1**i for i in range(39)] + [1e9])
    assert "a few accounts decide" in fit_leverage(giant, Bias(), ["BTC"], 20).fits["BTC", "retail", "long"].problems[0]
    same = fit_leverage(sample([1e4] * 40, [5e4] * 40), Bias(), ["BTC"], 20).fits["BTC", "retail", "long"]
    assert any("same leverage" in problem for problem in same.problems)


def test_a_spread_that_rests_on_one_account_is_not_identified():
    """One account of a tenth of the notional makes, or hides, the spread of forty; half of it in a second account does not."""
    leverage, notional = np.full(40, 5.0), np.full(40, 1e4)
    leverage[:3] = 4.9, 5.1, 5.2
    leverage[-1], notional[-1] = 60.0, 4.5e4
    alone = fit_leverage(sample(notional / leverage, notional), Bias(), ["BTC"], 20).fits["BTC", "retail", "long"]
    assert alone.equal_accounts > 10
    [problem] = [one for one in alone.problems if "rests on one account" in one]
    assert problem.endswith(f"log_sd is {alone.values['log_sd']:.3g} with it and 0.005 without")
    # the same account in two snapshots is one account still
    both = sample(notional / leverage, notional)
    by_row = ("owner", "asset", "side", "notional", "unrealised", "value", "total", "set_leverage")
    twice = both._replace(holding=np.arange(80), **{name: np.tile(getattr(both, name), 2) for name in by_row})
    assert any("rests on one" in one for one in fit_leverage(twice, Bias(), ["BTC"], 20).fits["BTC", "retail", "long"].problems)
    spread = 5.0 * np.exp(0.6 * np.linspace(-2.0, 2.0, 40))
    assert fit_leverage(sample(1e4 / spread, notional), Bias(), ["BTC"], 20).fits["BTC", "retail", "long"].problems == ()
    # three that are far out bear each other out
    leverage[-3:], notional[-3:] = 60.0, 4.5e4
    several = fit_leverage(sample(notional / leverage, notional), Bias(), ["BTC"], 20).fits["BTC", "retail", "long"]
    assert not any("rests on one" in one for one in several.problems)


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        (["winer"], "has to be one of"),
        (["winners=2"], "between 0 and 1"),
        (["winners=x"], "between 0 and 1"),
        (["split=0-3:1,4-inf:2"], "bands that join"),
        (["split=1-inf:2"], "bands that join"),
        (["split=0-3:-1,3-inf:2"], "bands that join"),
        (["split="], "bands that join"),
        (["none", "split"], "none alone"),
    ],
)
def test_wrong_corrections_are_named(words, allowed):
    _, wrong = parse_bias(words)
    assert len(wrong) == 1
    assert allowed in wrong[0][1]


def test_corrections_as_written():
    assert parse_bias(["none"]) == (Bias(), [])
    assert parse_bias(["winners=0.3", "split"])[0] == Bias(True, 0.3, SPLIT)
    assert parse_bias(["split=0-3:2e9,3-:1e9"])[0].split == ((0.0, 3.0, 2e9), (3.0, math.inf, 1e9))


def test_files_are_read_and_their_problems_named(tmp_path):
    path = tmp_path / "accounts.csv"
    path.write_text(HEADER + "a,BTC,Long,100,200,10,5,1\na,ETH,short,100,300,-5,20,1\nb,BTC,Short,0,10,0,5,1\n")
    found = read_accounts(path)
    assert found.total.tolist() == [500.0]
    assert found.set_leverage.tolist() == [20.0]
    assert found.side.tolist() == ["long", "short"]
    assert "1 row of accounts worth nothing" in found.findings[0]
    path.write_text(HEADER + "a,BTC,Lnog,100,x,10,5,1\n,BTC,Short,nan,10,0,5,1\n")
    with pytest.raises(ConfigError) as error:
        read_accounts(path)
    text = str(error.value)
    for part in ('side = "lnog"', "long", "notional_usd", "line 3, account", "account_value_usd"):
        assert part in text
    path.write_text("account,coin,side,notionel\na,BTC,long,5\n")
    with pytest.raises(ConfigError, match=r'notional: missing column.*did you mean "notionel"'):
        read_accounts(path)
    path.write_text("who,what,way,worth,usd\na,BTC,long,5,7\n")
    columns = {"account": "who", "asset": "what", "side": "way", "account_value": "worth", "notional": "usd"}
    assert "winners cannot be corrected" in read_accounts(path, columns).findings[0]
    with pytest.raises(ConfigError, match='did you mean "asset"'):
        read_accounts(path, {**columns, "aset": "what"})


@needs_data
def test_the_shipped_scenario_has_the_uncorrected_leverage_and_corrections_raise_it():
    """The medians and errors of btc_24h are those without correction; a list of winners has too little leverage."""
    accounts = read_accounts(SNAPSHOTS)
    plain = fit_leverage(accounts, Bias(), ["BTC"], replications=50)
    fits = {key[1:]: fit for key, fit in plain.fits.items()}
    shipped = {
        ("retail", "long"): 8.43,
        ("professional", "long"): 1.98,
        ("retail", "short"): 9.40,
        ("professional", "short"): 2.76,
    }
    assert {key: float(f"{fit.values['median']:.3g}") for key, fit in fits.items()} == shipped
    assert plain.share == 0.0
    chosen = fit_leverage(accounts, Bias(winners=True, split=SPLIT), ["BTC"], replications=50)
    assert chosen.share == pytest.approx(0.498, abs=0.001)
    assert 0.02 < chosen.share_error < 0.25
    for key, fit in chosen.fits.items():
        assert fit.uncorrected["median"] == plain.fits[key].values["median"]
        assert fit.low["median"] <= fit.values["median"] <= fit.high["median"]
    assert chosen.fits["BTC", "professional", "long"].values["median"] > 3.0
