"""What is seen of the house, in the words in which the driver tells it."""

import collections

import rules
from rules import micros


def balances(house):
    """Pending, held, available, owed and on its way out of each account, where there is anything."""
    found = collections.defaultdict(lambda: [0, 0, 0, 0, 0])
    for earning in house.earnings.values():
        key = earning.contract.account, earning.contract.currency
        found[key][0] += earning.pending
        found[key][1] += earning.dispute.held if earning.dispute else 0
    for key, minor in house.free.items():
        found[key][2 if minor > 0 else 3] += abs(minor)
    for payout in house.payouts.values():
        if payout.state == "REQUESTED":
            found[payout.way.account, payout.way.currency][4] += payout.amount - payout.fee
    return {" ".join(key): row for key, row in found.items() if any(row)}


def ledger(house):
    """What the platform's accounts and the escrows come to."""
    found = collections.Counter()
    for contract in house.contracts.values():
        found["FEES", contract.currency] += rules.fee(contract.net)
    for payout in house.payouts.values():
        if payout.state in ("REQUESTED", "PAID"):
            found["FEES", payout.way.currency] += payout.fee
    for milestone in house.milestones.values():
        found["ESCROW", milestone.contract.name] += milestone.escrow
    for currency, minor in house.losses.items():
        found["LOSSES", currency] -= minor
    for name, minor in house.owed.items():
        # Nobody's money: what a client owes stands against it.
        found["UNPAID", name] += minor
        found["CLIENT_RECEIVABLE", house.contracts[name].currency] -= minor
    for currency, minor in house.clearing.items():
        found["CLEARING", currency] += minor
    for currency, minor in house.expense.items():
        found["REWARD_EXPENSE", currency] += minor
    return {" ".join(key): minor for key, minor in found.items() if minor}


def earnings(house):
    return {source: house.earning_view(earning) for source, earning in house.earnings.items()}


def milestones(house):
    return {name: house.milestone_view(milestone) for name, milestone in house.milestones.items()}


def invoices(house):
    return {
        name: [it.minutes, it.over, it.amount, micros(it.paid), it.lines] for name, it in house.invoices.items()
    }


def payouts(house):
    return {name: house.payout_view(payout) for name, payout in house.payouts.items()}


def told(house):
    """What other services were told of earnings, in no order."""
    return {kind: sorted(facts.items() if isinstance(facts, dict) else facts) for kind, facts in house.told.items()}


LOOKS = {look.__name__: look for look in (balances, ledger, earnings, milestones, invoices, payouts, told)}


def zero(house):
    """Every currency adds up to nothing: what clients have paid in is where it should be."""
    sums = collections.Counter()
    for key, (pending, held, available, owed, leaving) in balances(house).items():
        sums[key.split()[1]] += pending + held + available - owed + leaving
    for key, minor in ledger(house).items():
        kind, whose = key.split()
        sums[house.contracts[whose].currency if kind in ("ESCROW", "UNPAID") else whose] += minor
    return {currency: minor for currency, minor in sums.items() if minor}
