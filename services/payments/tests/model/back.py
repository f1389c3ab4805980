"""What goes back to clients: refunds, disputes, chargebacks, and how each of them is undone."""

import rules
from rules import micros
from things import Chargeback, Dispute, check, refuse


class Back:
    """The part of the house that this is."""

    def earning_view(self, earning):
        return {
            "gross": earning.gross, "fee": earning.fee, "refunded": earning.refunded, "disputed": earning.disputed,
            "settled": earning.settled, "occurred": micros(earning.occurred), "available": micros(earning.available),
        }

    def refund(self, it):
        check(rules.amount_violations(it["amount"]))
        earning = self.find(self.earnings, it["earning"])
        minor, currency = it["amount"]
        same = currency == earning.contract.currency
        refuse(
            OTHER_CURRENCY=not same,
            REFUND_TOO_LARGE=same and minor > earning.gross - earning.refunded - earning.disputed,
            REFUND_TOO_LATE=earning.settled and self.now > earning.available + rules.REFUNDS,
        )
        self.take_back(earning, minor)
        return self.earning_view(earning)

    def dispute_view(self, dispute):
        return {"held": dispute.held, "state": dispute.state, "refunded": dispute.refunded}

    def dispute(self, it):
        check(rules.amount_violations(it["amount"]))
        earning = self.find(self.earnings, it["earning"])
        minor, currency = it["amount"]
        same = currency == earning.contract.currency
        refuse(
            DISPUTE_EXISTS=earning.dispute is not None, OTHER_CURRENCY=not same,
            DISPUTE_TOO_LATE=earning.settled or self.now > earning.review,
            DISPUTE_TOO_LARGE=same and minor > earning.gross - earning.refunded,
        )
        net = earning.contract.net
        held = min(minor - rules.fee(net) + rules.fee(net - minor), earning.pending)
        earning.pending -= held
        earning.dispute = self.disputes[it["as"]] = Dispute(earning, minor, held)
        return self.dispute_view(earning.dispute)

    def open_dispute(self, it):
        dispute = self.find(self.disputes, it["dispute"])
        refuse(DISPUTE_CLOSED=dispute.state != "OPEN")
        return dispute

    def resolve(self, it):
        share = it.get("share")
        check(rules.amount_violations(share, "talent_share") if share else [])
        found = self.find(self.disputes, it["dispute"])
        currency = found.earning.contract.currency
        no_share = share is not None and not (share[1] == currency and 0 < share[0] < found.amount)
        refuse(DISPUTE_CLOSED=found.state != "OPEN", SHARE_OUT_OF_RANGE=no_share)
        goes_back = {"TALENT": 0, "CLIENT": found.amount}.get(it["outcome"])
        found.refunded = found.amount - share[0] if goes_back is None else goes_back
        self.set_free(found, "RESOLVED")
        if found.refunded:
            self.take_back(found.earning, found.refunded)
        return self.dispute_view(found)

    def withdraw_dispute(self, it):
        dispute = self.open_dispute(it)
        self.set_free(dispute, "WITHDRAWN")
        return self.dispute_view(dispute)

    def note(self, it):
        self.open_dispute(it)
        return {}

    def chargeback(self, it):
        """From escrow or from the earning, whose dispute it ends, whatever is left there; what is not is lost."""
        check(rules.amount_violations(it["amount"]))
        (minor, currency), payment, known = it["amount"], it["payment"], it["reference"] in self.references
        earning, milestone = self.earnings.get(payment), self.milestones.get(payment)
        refuse(NOT_FOUND=earning is None and milestone is None)
        contract = (earning or milestone).contract
        never_paid = earning is None and not (milestone.escrow or milestone.taken or milestone.given_up)
        refuse(CHARGEBACK_EXISTS=known, OTHER_CURRENCY=currency != contract.currency, MILESTONE_NOT_IN_ESCROW=never_paid)
        if earning is None:
            taken = min(minor, milestone.escrow)
            milestone.taken += taken
            if milestone.state != "CANCELLED":
                milestone.state = "CHARGED_BACK"
            self.give_back(contract, taken)
        else:
            if earning.dispute:
                self.set_free(earning.dispute, "SUPERSEDED")
            taken = min(minor, earning.gross - earning.refunded)
            if taken:
                self.take_back(earning, taken)
        self.lose(contract, minor - taken)
        self.references.add(it["reference"])
        self.chargebacks[it["as"]] = Chargeback(payment, contract, taken, minor - taken, earning is not None)
        return {"from_earning": earning is not None, "lost": minor - taken}

    def lose(self, contract, minor):
        """The platform pays, or, with a minus, has it back."""
        self.losses[contract.currency] += minor
        self.give_back(contract, minor)

    def reverse_chargeback(self, it):
        chargeback = self.find(self.chargebacks, it["chargeback"])
        refuse(CHARGEBACK_REVERSED=chargeback.reversed)
        chargeback.reversed = True
        contract, amount = chargeback.contract, chargeback.taken
        self.lose(contract, -chargeback.lost)
        if not chargeback.from_earning:
            self.win_back(chargeback)
        elif amount:
            self.pay(contract, amount)
            earning = self.earnings[chargeback.payment]
            share = rules.fee(contract.net + amount) - rules.fee(contract.net)
            contract.net += amount
            earning.refunded -= amount
            earning.fee += share
            self.put(earning, amount - share)
            self.told["reinstated"].append([earning.source, amount, micros(self.now), micros(earning.occurred)])
        return {}

    def win_back(self, chargeback):
        """Back into escrow, where the work goes on once all is there; what was given up meanwhile goes on to the client."""
        milestone = self.milestones[chargeback.payment]
        milestone.taken -= chargeback.taken
        if milestone.state != "CHARGED_BACK":
            return
        self.pay(chargeback.contract, chargeback.taken)
        if milestone.taken == 0:
            milestone.state = "SUBMITTED" if milestone.submitted else "FUNDED"
            if milestone.submitted:
                self.await_silence(chargeback.payment)
