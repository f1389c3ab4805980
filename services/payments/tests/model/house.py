"""The house as it must be: whom it owes what after each command and each moment. Written from the rules (docs/rules.md,
ARCHITECTURE.md), with nothing of the product's code.

An account's free money is one number with a sign: what is available, or with the other sign what is owed. Held, pending
and escrow are not kept as balances; they are added up from what the disputes, earnings and milestones say."""

import collections
import datetime
import heapq

import rules
from back import Back
from out import Out
from rules import micros, moment
from things import Charge, Contract, Earning, Entry, Invoice, Milestone, begin, check, finish, refuse


class House(Back, Out):
    def __init__(self):
        self.now = rules.EPOCH
        self.due, self.set_timers = [], 0
        self.contracts, self.milestones, self.entries, self.invoices = {}, {}, {}, {}
        self.earnings, self.disputes, self.chargebacks = {}, {}, {}
        self.people, self.references, self.rewards = collections.defaultdict(list), set(), {}
        self.free, self.clearing, self.expense, self.losses = (collections.Counter() for _ in range(4))
        self.owed = collections.Counter()
        self.ways, self.tax_forms, self.payouts = {}, set(), {}
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

    def charge(self, name, charge):
        """The client is charged, now and, where that fails, after 1, 3 and 5 days; meanwhile the contract is held up."""
        charge.attempts += 1
        contract = charge.contract
        if charge.attempts > rules.DECLINES.get(contract.client, 0):
            if charge.given_up:
                self.owed[contract.name] -= charge.amount
            self.pay(contract, charge.amount)
            if contract.failing.pop(name, None) and not contract.failing:
                finish(contract.holds, self.now)
            charge.paid()
            return True
        charge.failed = charge.failed or self.now
        if charge.kind == "milestone":
            return False
        if not contract.failing:
            begin(contract.holds, self.now)
        contract.failing[name] = charge.failed
        later = [charge.failed + wait for wait in rules.RETRIES if charge.failed + wait > self.now]
        if later:
            self.later(later[0], self.charge, name, charge)
            return False
        charge.given_up = True
        if charge.kind == "invoice":
            self.owed[contract.name] += charge.amount
            self.invoices[name].state = "UNPAID"
        else:
            del contract.failing[name]
            if not contract.failing:
                finish(contract.holds, self.now)
        return False

    def earn(self, source, contract, gross, occurred, available, review=None):
        share = rules.fee(contract.net + gross) - rules.fee(contract.net)
        contract.net += gross
        self.earnings[source] = Earning(
            source, contract, gross, share, occurred, available, review or available - rules.MICRO, gross - share)
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
            it["contract"], it["person"], it["account"], pay["currency"], it["client"], pay.get("rate"),
            {datetime.datetime.min: pay.get("limit")}, max(moment(it["start"]), self.now), pay.get("recurring"),
        )
        if contract.recurring:
            self.later(self.period(contract, 0)[1], self.close_period, contract.name, 0)
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
        state = "PAUSED" if contract.state == "ACTIVE" and contract.unpaid else contract.state
        if contract.rate is None:
            return {"state": state}
        week = rules.monday(self.now)
        waiting = [[micros(since), minutes] for since, minutes in contract.limits.items() if since > week]
        return {"state": state, "limit": contract.limit(week), "next": waiting}

    def pause(self, it):
        contract = self.find(self.contracts, it["contract"])
        refuse(CONTRACT_ENDED=contract.state == "ENDED")
        if contract.state == "ACTIVE":
            begin(contract.pauses, self.now)
        contract.state = "PAUSED"
        return self.contract_view(contract)

    def resume(self, it):
        contract = self.find(self.contracts, it["contract"])
        ended = contract.state == "ENDED"
        refuse(CONTRACT_ENDED=ended, CONTRACT_UNPAID=not ended and contract.unpaid is not None)
        finish(contract.pauses, self.now)
        contract.state = "ACTIVE"
        return self.contract_view(contract)

    def end(self, it):
        contract = self.find(self.contracts, it["contract"])
        if contract.state != "ENDED":
            waits = (one.escrow and one.state != "SUBMITTED" for one in contract.milestones)
            refuse(FUNDED_MILESTONES=any(waits))
            contract.state, contract.ended = "ENDED", self.now
            finish(contract.pauses, self.now)
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
        return {"CONTRACT_PAUSED": contract.state == "PAUSED", "CONTRACT_ENDED": contract.state == "ENDED",
                "CONTRACT_UNPAID": contract.unpaid is not None}

    # Time that is worked by the hour.

    def entry_view(self, entry):
        return {"tracked": entry.tracked, "closes": micros(rules.closes(rules.monday(entry.start)))}

    def closed(self, start):
        return rules.closes(rules.monday(start)) <= self.now

    def admit(self, contract, start, end, entry=None):
        theirs = (other for one in self.people[contract.person] for other in one.entries.values())
        refuse(
            CONTRACT_NOT_HOURLY=contract.rate is None,
            TIME_WHILE_PAUSED=any(end > since and (to is None or start < to) for since, to in contract.pauses)
            or any(end > since and to and start < to for since, to in contract.holds),
            CONTRACT_UNPAID=any(end > since and to is None for since, to in contract.holds),
            TIME_AFTER_END=contract.ended is not None and end > contract.ended,
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
            self.invoice(source, Invoice(contract, minutes, over, amount, lines), week, week + rules.WEEK)

    def invoice(self, source, invoice, start, end):
        """The client pays for what was from start to end; the talent has it ten days after the last day, or five after that."""
        self.invoices[source], contract = invoice, invoice.contract

        def paid():
            invoice.paid = self.now
            available = max(end + 9 * rules.DAY, self.now + rules.AVAILABILITY)
            review = rules.review(end, self.now)
            self.earn(source, contract, invoice.amount, max(start, contract.start), available, review)

        self.charge(source, Charge(contract, invoice.amount, "invoice", paid))

    # Periods.

    def period(self, contract, number):
        first = datetime.datetime.combine(contract.start.date(), datetime.time())
        return rules.period(first, contract.recurring[1], number)

    def close_period(self, name, number):
        """A period is over: what of it could be worked is invoiced, and the next one follows until the contract has ended."""
        contract = self.contracts[name]
        start, end = self.period(contract, number)
        until = contract.ended or datetime.datetime.max
        amount = rules.cost(contract.recurring[0], start, end, until, contract.pauses + contract.holds)
        if amount:
            self.invoice(f"{name}/{start.date()}", Invoice(contract, 0, 0, amount, []), start, end)
        if until > end:
            self.later(self.period(contract, number + 1)[1], self.close_period, name, number + 1)

    # Milestones.

    def milestone_view(self, milestone):
        return {"state": milestone.state, "submitted": micros(milestone.submitted), "approved": micros(milestone.approved)}

    def create_milestone(self, it):
        check(rules.amount_violations(it["amount"]))
        contract = self.find(self.contracts, it["contract"])
        minor, currency = it["amount"]
        refuse(CONTRACT_NOT_FIXED_PRICE=not contract.fixed, OTHER_CURRENCY=currency != contract.currency,
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
        milestone, moved = self.move(it, "MILESTONE_NOT_AGREED", ["AGREED"], "AGREED", ["FUNDED"])
        refuse(**self.halted(milestone.contract) if moved else {})

        def paid():
            milestone.state = "FUNDED"

        if moved:
            self.charge(it["milestone"], Charge(milestone.contract, milestone.amount, "milestone", paid))
        return self.milestone_view(milestone)

    def submit(self, it):
        milestone, moved = self.move(it, "MILESTONE_NOT_FUNDED", ["FUNDED"], "SUBMITTED", ["SUBMITTED"])
        if moved:
            milestone.submitted = self.now
            self.await_silence(it["milestone"])
        return self.milestone_view(milestone)

    def request_changes(self, it):
        milestone, _ = self.move(it, "MILESTONE_NOT_SUBMITTED", ["SUBMITTED"], "FUNDED", [])
        milestone.submitted = None
        return self.milestone_view(milestone)

    def cancel_milestone(self, it):
        milestone, _ = self.move(it, "MILESTONE_NOT_AGREED", ["AGREED"], "CANCELLED", ["CANCELLED"])
        return self.milestone_view(milestone)

    def refund_escrow(self, it):
        milestone = self.find(self.milestones, it["milestone"])
        if milestone.state != "CANCELLED":
            refuse(MILESTONE_NOT_IN_ESCROW=not milestone.escrow)
            self.give_back(milestone.contract, milestone.escrow)
            milestone.state, milestone.submitted, milestone.given_up = "CANCELLED", None, True
        return self.milestone_view(milestone)

    def await_silence(self, name):
        self.milestones[name].silent = self.now
        self.later(self.now + rules.SILENCE, self.silence, name, self.now)

    def silence(self, name, since):
        milestone = self.milestones[name]
        if milestone.state == "SUBMITTED" and milestone.silent == since:
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
        given = self.now

        def paid():
            self.earn(it["as"], contract, minor, given, self.now + rules.AVAILABILITY)

        return {"earned": self.charge(it["as"], Charge(contract, minor, "bonus", paid))}

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
