"""How talent's money leaves the house: ways out, tax forms, payouts, and how one that does not arrive comes back."""

import rules
from things import Payout, Way, check, refuse


class Out:
    """The part of the house that this is."""

    def tax_form(self, it):
        self.tax_forms.add(it["account"])
        return {}

    def way_out(self, it):
        same = (way.account == it["account"] and way.currency == it["currency"] and way.token == it["token"]
                and way.kind == it["kind"] for way in self.ways.values())
        refuse(PAYOUT_NOT_OFFERED=(it["kind"], it["currency"]) not in rules.TARIFFS, PAYOUT_METHOD_EXISTS=any(same))
        self.ways[it["as"]] = Way(it["account"], it["kind"], it["currency"], it["token"], self.now)
        return {}

    def payout_view(self, payout):
        return {"amount": payout.amount, "fee": payout.fee, "state": payout.state}

    def withdraw(self, it):
        """An amount, or all that is free. What is owed is no free money; the fee is taken out of the amount."""
        asked = it.get("amount")
        check(rules.amount_violations(asked) if asked else [])
        way = self.find(self.ways, it["way"])
        fee, least = rules.TARIFFS[way.kind, way.currency]
        currency = asked[1] if asked else way.currency
        free = max(self.free[way.account, currency], 0)
        amount = asked[0] if asked else free
        refuse(
            NO_ACTIVE_PAYOUT_METHOD=self.now < way.added + rules.KNOWN_BEFORE_USED,
            TAX_FORM_REQUIRED=way.account not in self.tax_forms, OTHER_CURRENCY=currency != way.currency,
            BELOW_MINIMUM=amount < least, TOO_LITTLE_AVAILABLE=amount > free,
        )
        self.free[way.account, currency] -= amount
        payout = self.payouts[it["as"]] = Payout(way, amount, fee)
        self.later(self.now + rules.TIME_TO_CANCEL, self.send, it["as"])
        return self.payout_view(payout)

    def send(self, name):
        payout = self.payouts[name]
        if payout.state != "REQUESTED":
            return
        if payout.way.token == rules.CLOSED:
            self.undo(payout, "FAILED")
        else:
            payout.state = "PAID"
            self.clearing[payout.way.currency] += payout.amount - payout.fee

    def undo(self, payout, state):
        payout.state = state
        self.free[payout.way.account, payout.way.currency] += payout.amount

    def cancel_payout(self, it):
        payout = self.find(self.payouts, it["payout"])
        refuse(PAYOUT_DISPATCHED=payout.state in ("PAID", "FAILED"))
        if payout.state == "REQUESTED":
            self.undo(payout, "CANCELLED")
        return self.payout_view(payout)
