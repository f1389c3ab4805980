"""The house as it must be: whom it owes what after each command and each moment. Written from the rules (docs/rules.md,
ARCHITECTURE.md), with nothing of the product's code.

An account's free money is one number with a sign: what is available, or with the other sign what is owed. Held, pending
and escrow are not kept as balances; they are added up from what the disputes, earnings and milestones say."""

import collections
import datetime
import heapq

import rules
from rules import micros, moment
from things import Chargeback, Contract, Dispute, Earning, Entry, Invoice, Milestone, check, refuse


class House:
    def __init__(self):
        self.now = rules.EPOCH
        self.due, self.set_timers = [], 0
        self.contracts, self.milestones, self.entries, self.invoices = {}, {}, {}, {}
        self.earnings, self.disputes, self.chargebacks = {}, {}, {}
        self.people, self.references, self.rewards = collections.defaultdict(list), set(), {}
        self.free, self.clearing, self.expense = (collections.Counter() for _ in range(3))
        self.told = {"settled": {}, "reversed": [], "reinstated": []}

    # Time.

    def advance(self, to):
        """Everything that is due by then happens at its own moment."""
        while self.due and self.due[0][0] <= to:
            self.now, _, what, *names = heapq.heappop(self.due)
            what(*names)
        self.now = to

    def later(self, at, what, *names):
        self.set_timers += 1
        heapq.heappush(self.due, (at, self.set_timers, what, *names))

    # Money.

    def pay(self, contract, amount):
        """A client pays."""
        self.clearing[contract.currency] -= amount

    def give_back(self, contract, amount):
        """A client, or its provider, gets money back."""
        self.clearing[contract.currency] += amount

    def earn(self, source, contract, gross, occurred, available):
        share = rules.fee(contract.net + gross) - rules.fee(contract.net)
        contract.net += gross
        self.earnings[source] = Earning(source, contract, gross, share, occurred, available, gross - share)
        self.later(available, self.settle, source)

    def settle(self, source):
        earning = self.earnings[source]
        waited, earning.pending, earning.settled = earning.pending, 0, True
        self.put(earning, waited)
        self.told["settled"][source] = [earning.gross, micros(earning.available), micros(earning.occurred)]

    def put(self, earning, amount):
        """Money of an earning goes where it belongs: it waits with the earning, or it is free."""
        if earning.settled:
            self.free[earning.contract.account, earning.contract.currency] += amount
        else:
            earning.pending += amount

    def take_back(self, earning, amount):
        """The fee goes back to the talent; the whole amount goes to the client: from what waits, then from what is free, or
        owed. Of an earning that was taken back as a whole nothing is left to wait."""
        contract = earning.contract
        share = rules.fee(contract.net) - rules.fee(contract.net - amount)
        contract.net -= amount
        earning.refunded += amount
        earning.fee -= share
        self.put(earning, share)
        waits = 0 if earning.settled else min(earning.pending, amount)
        earning.pending -= waits
        account = contract.account, contract.currency
        self.free[account] -= amount - waits
        if earning.refunded == earning.gross:
            self.free[account] += earning.pending
            earning.pending = 0
        self.give_back(contract, amount)
        self.told["reversed"].append([earning.source, amount, micros(self.now), micros(earning.occurred)])

    def set_free(self, dispute, state):
        dispute.state, dispute.earning.dispute = state, None
        self.put(dispute.earning, dispute.held)

    # What was agreed.

    def offer(self, it):
        pay = it["pay"]
        contract = Contract(
            it["contract"], it["person"], it["account"], pay["currency"], pay.get("rate"),
            {datetime.datetime.min: pay.get("limit")}, max(moment(it["start"]), self.now),
        )
        self.contracts[contract.name] = contract
        self.people[contract.person].append(contract)
        for number, amount in enumerate(pay.get("milestones", [])):
            self.add_milestone(f"{contract.name}/m{number}", contract, amount)
        return {}

    def add_milestone(self, name, contract, amount):
        self.milestones[name] = Milestone(contract, amount)
        contract.milestones.append(self.milestones[name])

    def find(self, things, name):
        refuse(NOT_FOUND=name not in things)
        return things[name]

    def contract_view(self, contract):
        if contract.rate is None:
            return {"state": contract.state}
        week = rules.monday(self.now)
        waiting = [[micros(since), minutes] for since, minutes in contract.limits.items() if since > week]
        return {"state": contract.state, "limit": contract.limit(week), "next": waiting}

    def pause(self, it):
        contract = self.find(self.contracts, it["contract"])
        refuse(CONTRACT_ENDED=contract.state == "ENDED")
        contract.state = "PAUSED"
        return self.contract_view(contract)

    def resume(self, it):
        contract = self.find(self.contracts, it["contract"])
        refuse(CONTRACT_ENDED=contract.state == "ENDED")
        contract.state = "ACTIVE"
        return self.contract_view(contract)

    def end(self, it):
        contract = self.find(self.contracts, it["contract"])
        if contract.state != "ENDED":
            refuse(FUNDED_MILESTONES=any(milestone.state == "FUNDED" for milestone in contract.milestones))
            contract.state = "ENDED"
            for milestone in contract.milestones:
                if milestone.state == "AGREED":
                    milestone.state = "CANCELLED"
        return self.contract_view(contract)

    def limit(self, it):
        """More is in force at once, less from next Monday; in the place of what waits."""
        minutes = it["minutes"]
        check([] if 0 < minutes <= 7 * 24 * 60 else ["weekly_limit_minutes OUT_OF_RANGE"])
        contract = self.find(self.contracts, it["contract"])
        refuse(CONTRACT_NOT_HOURLY=contract.rate is None, CONTRACT_ENDED=contract.state == "ENDED")
        week = rules.monday(self.now)
        contract.limits.pop(week + rules.WEEK, None)
        contract.limits[week if minutes >= contract.limit(week) else week + rules.WEEK] = minutes
        return self.contract_view(contract)

    def halted(self, contract):
        return {"CONTRACT_PAUSED": contract.state == "PAUSED", "CONTRACT_ENDED": contract.state == "ENDED"}

    # Time that is worked by the hour.

    def entry_view(self, entry):
        return {"tracked": entry.tracked, "closes": micros(rules.closes(rules.monday(entry.start)))}

    def closed(self, start):
        return rules.closes(rules.monday(start)) <= self.now

    def admit(self, contract, start, end, entry=None):
        theirs = (other for one in self.people[contract.person] for other in one.entries.values())
        refuse(
            CONTRACT_NOT_HOURLY=contract.rate is None, **self.halted(contract),
            WEEK_CLOSED=self.closed(start) or (entry is not None and self.closed(entry.start)),
            TIME_IN_FUTURE=end > self.now, TIME_BEFORE_CONTRACT=start < contract.start,
            TIME_OVERLAPS=any(it is not entry and it.start < end and start < it.end for it in theirs),
        )
        week = rules.monday(start)
        if week not in contract.weeks:
            contract.weeks.add(week)
            self.later(rules.closes(week), self.close, contract.name, week)

    def add_time(self, it):
        start, end = moment(it["from"]), moment(it["to"])
        check(rules.span_violations(start, end))
        contract = self.find(self.contracts, it["contract"])
        self.admit(contract, start, end)
        entry = Entry(contract, start, end, it["tracked"])
        self.entries[it["as"]] = contract.entries[it["as"]] = entry
        return self.entry_view(entry)

    def change_time(self, it):
        start, end = moment(it["from"]), moment(it["to"])
        check(rules.span_violations(start, end))
        entry = self.find(self.entries, it["entry"])
        self.admit(entry.contract, start, end, entry)
        entry.tracked = entry.tracked and (entry.start, entry.end) == (start, end)
        entry.start, entry.end = start, end
        return self.entry_view(entry)

    def remove_time(self, it):
        entry = self.find(self.entries, it["entry"])
        refuse(WEEK_CLOSED=self.closed(entry.start))
        del self.entries[it["entry"]], entry.contract.entries[it["entry"]]
        return {}

    def close(self, name, week):
        """Monday noon: what was worked is invoiced up to the limit of its week, and the client pays."""
        contract = self.contracts[name]
        spans = ((entry.start, entry.end) for entry in contract.entries.values())
        worked = [span for span in spans if rules.monday(span[0]) == week]
        minutes, over, amount, lines = rules.invoice(worked, contract.limit(week), contract.rate)
        if amount:
            source = f"{name}/{week.date()}"
            self.invoices[source] = Invoice(contract, minutes, over, amount, lines, self.now)
            self.pay(contract, amount)
            available = max(rules.wednesday(week), self.now + rules.AVAILABILITY)
            self.earn(source, contract, amount, week, available)

    # Milestones.

    def milestone_view(self, milestone):
        return {"state": milestone.state, "submitted": micros(milestone.submitted), "approved": micros(milestone.approved)}

    def create_milestone(self, it):
        check(rules.amount_violations(it["amount"]))
        contract = self.find(self.contracts, it["contract"])
        minor, currency = it["amount"]
        refuse(CONTRACT_NOT_FIXED_PRICE=contract.rate is not None, OTHER_CURRENCY=currency != contract.currency,
               **self.halted(contract))
        self.add_milestone(it["as"], contract, minor)
        return self.milestone_view(self.milestones[it["as"]])

    def move(self, it, reason, frm, to, done):
        """From one state to another, for which it may already be there."""
        milestone = self.find(self.milestones, it["milestone"])
        refuse(**{reason: milestone.state not in (*frm, *done)})
        moved = milestone.state in frm
        if moved:
            milestone.state = to
        return milestone, moved

    def fund(self, it):
        milestone, moved = self.move(it, "MILESTONE_NOT_AGREED", ["AGREED"], "FUNDED", ["FUNDED"])
        if moved:
            self.pay(milestone.contract, milestone.amount)
        return self.milestone_view(milestone)

    def submit(self, it):
        milestone, moved = self.move(it, "MILESTONE_NOT_FUNDED", ["FUNDED"], "SUBMITTED", ["SUBMITTED"])
        if moved:
            milestone.submitted = self.now
            self.later(self.now + rules.SILENCE, self.silence, it["milestone"], self.now)
        return self.milestone_view(milestone)

    def request_changes(self, it):
        milestone, _ = self.move(it, "MILESTONE_NOT_SUBMITTED", ["SUBMITTED"], "FUNDED", [])
        milestone.submitted = None
        return self.milestone_view(milestone)

    def cancel_milestone(self, it):
        milestone, _ = self.move(it, "MILESTONE_NOT_AGREED", ["AGREED"], "CANCELLED", ["CANCELLED"])
        return self.milestone_view(milestone)

    def refund_escrow(self, it):
        leaves = ["FUNDED", "SUBMITTED"]
        milestone, moved = self.move(it, "MILESTONE_NOT_IN_ESCROW", leaves, "CANCELLED", ["CANCELLED"])
        if moved:
            milestone.submitted = None
            self.give_back(milestone.contract, milestone.amount)
        return self.milestone_view(milestone)

    def silence(self, name, submitted):
        milestone = self.milestones[name]
        if milestone.state == "SUBMITTED" and milestone.submitted == submitted:
            self.approve({"milestone": name})

    def approve(self, it):
        milestone, moved = self.move(it, "MILESTONE_NOT_SUBMITTED", ["SUBMITTED"], "APPROVED", ["APPROVED"])
        if moved:
            milestone.approved = self.now
            available = self.now + rules.AVAILABILITY
            self.earn(it["milestone"], milestone.contract, milestone.amount, milestone.submitted, available)
        return self.milestone_view(milestone)

    def bonus(self, it):
        check(rules.amount_violations(it["amount"]))
        contract = self.find(self.contracts, it["contract"])
        minor, currency = it["amount"]
        refuse(OTHER_CURRENCY=currency != contract.currency)
        self.pay(contract, minor)
        self.earn(it["as"], contract, minor, self.now, self.now + rules.AVAILABILITY)
        return {"earned": True}

    # What goes back.

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
            DISPUTE_EXISTS=earning.dispute is not None, OTHER_CURRENCY=not same, DISPUTE_TOO_LATE=earning.settled,
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
        """From escrow a milestone's whole amount; from an earning whatever is left of it, which ends its dispute."""
        check(rules.amount_violations(it["amount"]))
        (minor, currency), payment, known = it["amount"], it["payment"], it["reference"] in self.references
        earning, milestone = self.earnings.get(payment), self.milestones.get(payment)
        refuse(NOT_FOUND=earning is None and milestone is None)
        contract = (earning or milestone).contract
        same = currency == contract.currency
        if earning is None:
            refuse(
                MILESTONE_NOT_IN_ESCROW=milestone.state not in ("FUNDED", "SUBMITTED"), CHARGEBACK_EXISTS=known,
                CHARGEBACK_NOT_WHOLE=not same or minor != milestone.amount,
            )
            milestone.state, milestone.submitted = "CHARGED_BACK", None
            self.give_back(contract, minor)
        else:
            too_large = same and minor > earning.gross - earning.refunded
            refuse(CHARGEBACK_EXISTS=known, OTHER_CURRENCY=not same, REFUND_TOO_LARGE=too_large)
            if earning.dispute:
                self.set_free(earning.dispute, "SUPERSEDED")
            self.take_back(earning, minor)
        self.references.add(it["reference"])
        self.chargebacks[it["as"]] = Chargeback(payment, contract, minor, earning is not None)
        return {"from_earning": earning is not None}

    def reverse_chargeback(self, it):
        chargeback = self.find(self.chargebacks, it["chargeback"])
        refuse(CHARGEBACK_REVERSED=chargeback.reversed)
        chargeback.reversed = True
        contract, amount = chargeback.contract, chargeback.amount
        self.pay(contract, amount)
        if not chargeback.from_earning:
            self.milestones[chargeback.payment].state = "FUNDED"
            return {}
        earning = self.earnings[chargeback.payment]
        share = rules.fee(contract.net + amount) - rules.fee(contract.net)
        contract.net += amount
        earning.refunded -= amount
        earning.fee += share
        self.put(earning, amount - share)
        self.told["reinstated"].append([earning.source, amount, micros(self.now), micros(earning.occurred)])
        return {}

    # Rewards.

    def reward(self, it):
        """A release says what a total has come to; an older one says nothing new."""
        minor, currency = it["cumulative"]
        number = it["epoch"], it["sequence"]
        known, posted = self.rewards.get(it["tie"], ((0, 0), 0))
        if number > known:
            self.rewards[it["tie"]] = number, minor
            self.free[it["account"], currency] += minor - posted
            self.expense[currency] -= minor - posted
        return {}
