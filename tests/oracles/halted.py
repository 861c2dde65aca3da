"""Which markets are halted, and what is let through: marks as they were, looked at one by one. Float64, plainest code."""

import math

import numpy as np

from .market import Prices, Setup


class Halted:
    """The breakers of all venues on one path. `left`: steps of a market's halt that are left; `reopened`: whether this is the
    first step after one; `nearest`: how close any decision was, log price."""

    def __init__(self, setup: Setup):
        self.setup, self.rules = setup, [venue.halts for venue in setup.venues]
        self.markets = [(v, a) for v in range(setup.shape[0]) for a in range(setup.shape[1])]
        self.left, self.reopened = dict.fromkeys(self.markets, 0.0), dict.fromkeys(self.markets, False)
        self.marks = {m: [0.0] for m in self.markets}
        self.average = dict.fromkeys(self.markets, 0.0)
        self.price, self.mark = np.zeros(setup.shape[1]), np.zeros(setup.shape)
        self.nearest = math.inf

    def begin(self, mark):
        """A step: halts go on, end, or begin, by where the marks are or would be."""
        before = {m: self.left[m] > 0.0 for m in self.markets}
        moved = {m: max(abs(mark[m] - old) for old in self.marks[m][-self.rules[m[0]].window :]) for m in self.markets}
        hit = dict.fromkeys(self.markets, False)
        for v, a in self.markets:
            rule = self.rules[v]
            whole = max(moved[v, other] for other in range(self.setup.shape[1]))
            hit[v, a] = whole >= rule.move or moved[v, a] >= rule.contract_move[a]
            self.nearest = min(self.nearest, abs(whole - rule.move), abs(moved[v, a] - rule.contract_move[a]))
        begins = {m: hit[m] and not before[m] for m in self.markets}
        others = {m: any(begins[v, m[1]] and self.rules[v].everywhere for v in range(self.setup.shape[0])) for m in self.markets}
        for m in self.markets:
            self.left[m] = max(self.left[m] - 1.0, 0.0)
            self.reopened[m] = before[m] and self.left[m] == 0.0
            if begins[m] or (others[m] and not before[m]):
                rule = self.rules[m[0]]
                self.left[m] = math.ceil(rule.length) if rule.trading else rule.length

    def trades(self, market):
        """Whether anybody may trade."""
        return not (self.rules[market[0]].trading and self.left[market] > 0.0)

    def now(self, prices: Prices):
        """Price and marks as they are seen: what stands still is where it was."""
        price, mark = prices.now()
        for a in range(len(price)):
            if not any(self.trades((v, a)) for v in range(self.setup.shape[0])):
                price[a] = self.price[a]
        for m in self.markets:
            if not self.trades(m):
                mark[m] = self.mark[m]
        return price, mark

    def seen(self, price, mark):
        """Where they are from now on."""
        self.price, self.mark = price.copy(), mark.copy()

    def share(self, market, engine):
        """What the engine may send of its backlog in this round, where it would send so much."""
        rule, rounds = self.rules[market[0]], self.setup.rounds
        if self.reopened[market]:
            return max(engine, 1.0 - (1.0 - rule.auction) ** (1.0 / rounds))
        away = {a: abs(self.mark[market[0], a] - self.average[market[0], a]) for a in range(self.setup.shape[1])}
        band, own = rule.band, rule.contract_band[market[1]]
        self.nearest = min(self.nearest, *(abs(x - band) for x in away.values()), abs(away[market[1]] - own))
        if max(away.values()) > band or away[market[1]] > own:
            return 0.0
        open_ = float(self.left[market] == 0.0) if rule.trading else 1.0 - min(self.left[market], 1.0)
        return engine * open_

    def thinner(self, sold):
        """Orders as a market that is deeper at an auction takes them."""
        sold = sold.copy()
        for m in self.markets:
            if self.reopened[m] and self.rules[m[0]].auction > 0.0:
                sold[m] /= self.rules[m[0]].deeper
        return sold

    def end(self):
        """After a step: moves are measured from here on where a halt has ended."""
        for m in self.markets:
            self.average[m] += (1.0 - math.exp(-1.0 / self.rules[m[0]].window)) * (self.mark[m] - self.average[m])
            self.marks[m] = [self.mark[m]] if self.reopened[m] else [*self.marks[m], self.mark[m]]


__all__ = ["Halted"]
