"""What many did at once has no order that anybody knows; but what all that succeeded comes to has none either.

Every command that succeeded counts once, whenever that was. What an earning has lost is at most what it was; the fee follows
from a contract's total; and in the end, when no dispute is open and all money is available, each account has what is left."""

import collections

import rules
from house import House
from rules import moment


class Sums:
    def __init__(self, log):
        self.log = [it for it in log if "refused" not in it]
        self.refused = len(log) - len(self.log)
        self.house, self.wrong = House(), []
        self.seen = {it["what"]: it["answer"] for it in self.log if it["do"] == "look"}
        self.net, self.clearing, self.escrow = (collections.Counter() for _ in range(3))
        self.gross, self.lost = {}, collections.Counter()
        self.count = collections.Counter(it["do"] for it in self.log if it["do"] != "look")
        self.replay()
        self.milestones()
        self.earnings()
        self.payouts()
        self.compare()

    def done(self, *commands):
        return (it for it in self.log if it["do"] in commands)

    def replay(self):
        """Offers, milestones as they are agreed, time and rewards: their order does not matter, and the model invoices."""
        for it in self.log:
            self.house.advance(moment(it["at"]))
            if it["do"] in ("offer", "create_milestone", "add_time", "reward"):
                getattr(self.house, it["do"])(it)
        for source, invoice in self.house.invoices.items():
            self.gross[source] = invoice.contract, invoice.amount

    def milestones(self):
        """What became of each, by what succeeded."""
        named = collections.defaultdict(set)
        for it in self.log:
            if "milestone" in it:
                named[it["do"]].add(it["milestone"])
        charged_back, self.taken = set(), collections.Counter()
        for it in self.done("chargeback"):
            if not it["answer"]["from_earning"]:
                charged_back.add(it["payment"])
                self.taken[it["payment"]] += it["amount"][0] - it["answer"]["lost"]
        left = named["refund_escrow"] | charged_back
        for name, milestone in self.house.milestones.items():
            state = self.seen["milestones"][name]["state"]
            # What was submitted and not approved, silence has approved by now.
            expected = (
                "CANCELLED" if name in named["refund_escrow"] | named["cancel_milestone"]
                else "CHARGED_BACK" if name in charged_back else "APPROVED" if name in named["submit"]
                else "FUNDED" if name in named["fund"] else "AGREED"
            )
            if state != expected or name in left & named["approve"] or (name in named["submit"] - named["fund"]):
                self.wrong.append(f"milestone {name} is {state}, expected {expected}")
            if state == "APPROVED":
                self.gross[name] = milestone.contract, milestone.amount
            if self.taken[name] > milestone.amount:
                self.wrong.append(f"milestone {name} lost {self.taken[name]} of {milestone.amount}")
            if state in ("FUNDED", "CHARGED_BACK"):
                self.escrow[milestone.contract.name] += milestone.amount - self.taken[name]

    def earnings(self):
        for it in self.done("bonus"):
            self.gross[it["as"]] = self.house.contracts[it["contract"]], it["amount"][0]
        disputed = {it["as"]: it["earning"] for it in self.done("dispute")}
        for it in self.log:
            if it["do"] == "refund":
                self.lost[it["earning"]] += it["amount"][0]
            if it["do"] == "chargeback" and it["answer"]["from_earning"]:
                self.lost[it["payment"]] += it["amount"][0] - it["answer"]["lost"]
            if it["do"] == "resolve":
                self.lost[disputed[it["dispute"]]] += it["answer"]["refunded"]
        for source in self.lost.keys() - self.gross.keys():
            self.wrong.append(f"{source} lost something, and was never earned")
        for source, (contract, gross) in self.gross.items():
            if self.lost[source] > gross:
                self.wrong.append(f"{source} lost {self.lost[source]} of {gross}")
            self.net[contract.name] += gross - self.lost[source]

    def payouts(self):
        """What has left: all that was withdrawn and neither called off nor refused."""
        ways, self.left = {it["as"]: it for it in self.done("way_out")}, []
        called_off = {it["payout"] for it in self.done("cancel_payout")}
        for it in self.done("withdraw"):
            name, way, state = it["as"], ways[it["way"]], self.seen["payouts"][it["as"]]["state"]
            expected = "CANCELLED" if name in called_off else "FAILED" if way["token"] == rules.CLOSED else "PAID"
            if state != expected:
                self.wrong.append(f"payout {name} is {state}, expected {expected}")
            if state == "PAID":
                self.left.append((way["account"], way["currency"], it["answer"]["amount"], it["answer"]["fee"]))

    def compare(self):
        ledger, owed = collections.Counter(), collections.Counter()
        for name, contract in self.house.contracts.items():
            net, escrow, currency = self.net[name], self.escrow[name], contract.currency
            ledger[f"FEES {currency}"] += rules.fee(net)
            ledger[f"CLEARING {currency}"] -= net + escrow
            ledger[f"ESCROW {name}"] += escrow
            owed[f"{contract.account} {currency}"] += net - rules.fee(net)
        for it in self.done("chargeback"):
            # In the currency of the contract, or it had been refused.
            ledger[f"LOSSES {it['amount'][1]}"] -= it["answer"]["lost"]
            ledger[f"CLEARING {it['amount'][1]}"] += it["answer"]["lost"]
        for currency, minor in self.house.expense.items():
            ledger[f"REWARD_EXPENSE {currency}"] += minor
        # Of the house's free money the rewards alone are of use: the rest it knows only of invoices.
        for tie, (_, minor) in self.house.rewards.items():
            owed[f"{self.accounts()[tie]} {tie.split()[1]}"] += minor
        for account, currency, amount, fee in self.left:
            ledger[f"FEES {currency}"] += fee
            ledger[f"CLEARING {currency}"] += amount - fee
            owed[f"{account} {currency}"] -= amount
        found = {}
        for whose, (pending, held, available, receivable, leaving) in self.seen["balances"].items():
            found[whose] = available - receivable
            if pending or held or leaving:
                self.wrong.append(f"{whose} still waits for {pending}, {held} is held, and {leaving} is on its way")
        self.differ("ledger", ledger, self.seen["ledger"])
        self.differ("balance", owed, found)

    def accounts(self):
        return {it["tie"]: it["account"] for it in self.done("reward")}

    def differ(self, what, expected, found):
        for key in sorted(expected.keys() | found.keys()):
            if expected.get(key, 0) != found.get(key, 0):
                self.wrong.append(f"{what} {key}: expected {expected.get(key, 0)}, found {found.get(key, 0)}")

    def __str__(self):
        kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(self.count.items()))
        return f"{self.count.total()} commands done ({kinds}), {self.refused} refused: equal to the minor unit"
