"""Words in a scenario that are not known, and parts that its book has no use for."""

from typing import Any

import numpy as np

from .cascade import TRIGGERS
from .positions import BOOKS, POLICIES, RANKINGS, TIER_RULES, CrossAccounts

BREAKER_LEAVES = ("halt_move", "halt_window", "halt_length", "price_band", "auction", "auction_depth")
CONTRACT_LEAVES = ("contract_move", "contract_band")


def words_of(scenario: Any, venues: int) -> list[str]:
    """Words that are not known, and parts that the scenario's book has no use for."""
    policy, backstop = scenario.venues.policy, scenario.venues.backstop
    words: list[tuple[str, tuple[str, ...], tuple[str, ...], int]] = [("book", (scenario.book,), BOOKS, 1)]
    tiers = scenario.venues.tiers
    if tiers.rule:
        words.append(("venues.tiers.rule", tiers.rule, TIER_RULES, venues))
    if policy is not None:
        words.append(("venues.policy.kind", policy.kind, POLICIES, venues))
    if backstop is not None:
        words.append(("venues.backstop.ranking", backstop.ranking, RANKINGS, venues))
        words.append(("venues.backstop.trigger", backstop.trigger, TRIGGERS, venues))
    found = [
        f"{name}: {list(said)}, where {count} of {', '.join(known)} is needed"
        for name, said, known, count in words
        if len(said) != count or any(word not in known for word in said)
    ]
    if policy is not None and policy.closes_to_margin and not np.all(np.asarray(policy.margin_target) >= 1.0):
        found.append('venues.policy.margin_target: has to be at least 1 where a venue closes "to_margin"')
    if len(tiers.rule) == len(tiers.amount) and np.any(np.asarray(tiers.amount)[np.array(tiers.whole)]):
        found.append('venues.tiers.amount: has to be 0 where the rule is "whole"')
    if (scenario.flow is not None) != (scenario.book == "flow"):
        found.append(f'flow: goes with book = "flow", and with it only; book is "{scenario.book}"')
    if scenario.funding is not None and scenario.book == "ladder":
        found.append('funding: needs book = "account" or "flow"')
    if scenario.book != "account" and any(isinstance(one, CrossAccounts) for one in scenario.populations.values()):
        found.append(f'populations: accounts under cross margin need book = "account"; book is "{scenario.book}"')
    if scenario.book == "account" and scenario.settings.bridge:
        found.append('settings.bridge: not with book = "account", which checks margins at the marks only')
    return found


__all__ = ["BREAKER_LEAVES", "CONTRACT_LEAVES", "words_of"]
