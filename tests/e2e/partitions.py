# SPDX-License-Identifier: ISC
"""Ways in which the network between three machines can fail (site3.py). Each
cuts some links at random and says which."""

import random

import site3


def one_way(net, carrier):
    a, b = random.choice(site3.PAIRS)
    net.cut(a, b)
    return f"{a} not heard by {b}"


def two_ways(net, carrier):
    a, b = random.choice(site3.PAIRS)
    net.cut(a, b)
    net.cut(b, a)
    return f"{a} and {b} apart"


def alone(net, carrier, who=None):
    """The master's host as often as both others together."""
    if who is None:
        who = random.choice([carrier.who_is_master() or 0,
                             *range(site3.COUNT)])
    a = who
    for b in set(range(site3.COUNT)) - {a}:
        net.cut(a, b)
        net.cut(b, a)
    return f"{a} alone"


def deaf(net, carrier):
    a = random.randrange(site3.COUNT)
    for b in set(range(site3.COUNT)) - {a}:
        net.cut(b, a)
    return f"{a} hears nobody"


def without_port(net, carrier):
    """The Sentinels still see each other."""
    a, b = random.choice(site3.PAIRS)
    net.cut(a, b, carrier.port)
    return f"{a}'s port {carrier.port} not heard by {b}"


def anything(net, carrier):
    pairs = random.sample(site3.PAIRS, random.randint(2, 4))
    for a, b in pairs:
        net.cut(a, b)
    return f"cut {pairs}"


KINDS = [one_way, two_ways, alone, deaf, without_port, anything]
