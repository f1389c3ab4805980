"""Random commands for so many days, drawn with the model beside, so that most of them make sense and some do not."""

import datetime
import random

import rules
from house import House
from rules import DAY, HOUR, MICRO, MINUTE, WEEK, micros
from things import Refused

START = datetime.datetime(2026, 3, 2, 9)
ACCOUNTS, PERSONS, CLIENTS, TIES = 8, 6, 5, 6
CURRENCIES = [*rules.DECIMALS]
# How often each command comes, in the order of the money's way.
WEIGHTS = {
    "offer": 1, "add_time": 24, "change_time": 4, "remove_time": 2, "limit": 4, "pause": 1, "resume": 3, "end": 0.3,
    "create_milestone": 11, "fund": 12, "submit": 12, "request_changes": 2, "approve": 8, "cancel_milestone": 1,
    "refund_escrow": 1, "bonus": 8, "refund": 8, "dispute": 7, "resolve": 4, "withdraw_dispute": 1, "note": 1,
    "chargeback": 4, "reverse_chargeback": 3, "reward": 5, "tax_form": 0.6, "way_out": 2, "withdraw": 8, "cancel_payout": 1,
}
# What comes before all that.
FIRST = ["offer"] * 20 + ["tax_form", "way_out"] * 5
# What is done by many at once: commands of which all that succeed come to the same, whoever came first.
AT_ONCE = {
    "add_time": 10, "create_milestone": 6, "fund": 12, "submit": 12, "approve": 10, "cancel_milestone": 1,
    "refund_escrow": 2, "bonus": 8, "refund": 14, "dispute": 10, "resolve": 8, "withdraw_dispute": 3, "chargeback": 6,
    "reward": 8, "withdraw": 12, "cancel_payout": 3,
}
# When that is, after the beginning: work, the Monday noon with its invoices, availability, silence.
MOMENTS = [2 * DAY, 7 * DAY + 3 * HOUR, 16 * DAY, 17 * DAY, 35 * DAY]
# Of a hundred commands so many name something at random, whatever its state.
CARELESS = 12


class Player:
    def __init__(self, seed, accounts=ACCOUNTS, currencies=CURRENCIES, clients=CLIENTS, recurring=True):
        self.random, self.house, self.accounts, self.currencies = random.Random(seed), House(), accounts, currencies
        self.clients, self.recurring = [f"k{number}" for number in range(clients)], recurring
        self.house.advance(START)
        self.rewards, self.counts = {}, {}

    def name(self, kind):
        """The next name of a kind of thing."""
        self.counts[kind] = self.counts.get(kind, -1) + 1
        return f"{kind}{self.counts[kind]}"

    def careless(self, percent=CARELESS):
        return self.random.randrange(100) < percent

    def pick(self, things, good=lambda _: True):
        """Something of these, rather a late one than an early one, that is good if it can be found; now and then none that
        there is."""
        names = list(things)
        if not names or self.careless(1):
            return "nothing"
        anyhow = self.careless()
        for _ in range(40):
            name = names[int(len(names) * self.random.random() ** 0.3)]
            if anyhow or good(things[name]):
                break
        return name

    def amount(self, contract, most=None):
        """An amount in the contract's currency, from one minor unit to thousands; now and then one that cannot be."""
        digits = self.random.randint(1, 6)
        minor = self.random.randint(1, most) if most else self.random.randrange(10 ** (digits - 1), 10**digits)
        currency = contract.currency if contract else "USD"
        if self.careless(3):
            minor = self.random.choice([0, -minor, rules.LARGEST + 1, minor * 10 + 1])
        if self.careless(2):
            currency = self.random.choice([*rules.DECIMALS, "XXX"])
        return [minor, currency]

    def part(self, whole, left, contract):
        """All that is left, or a part, or more."""
        if self.careless(30):
            return [max(left, 1), contract.currency]
        if self.careless(8):
            return [left + 1, contract.currency]
        return self.amount(contract, max(whole // 2, 1))

    # The commands.

    def offer(self):
        contract, account = self.name("c"), self.random.randrange(self.accounts)
        currency = self.random.choice(self.currencies)
        if self.careless(45):
            rate = self.random.randrange(1, 20_000)
            pay = {"currency": currency, "rate": rate, "limit": self.random.choice([60, 600, 1_200, 2_400, 10_080])}
        elif self.recurring and self.careless(30):
            every = self.random.choice(["WEEK", "TWO_WEEKS", "MONTH", "QUARTER"])
            pay = {"currency": currency, "recurring": [self.random.randrange(1, 500_000), every]}
        else:
            amounts = [self.random.randrange(1, 500_000) for _ in range(self.random.randint(1, 4))]
            pay = {"currency": currency, "milestones": amounts}
            self.counts[f"{contract}/m"] = len(amounts) - 1
        start = self.house.now + self.random.choice([-DAY, 5 * MINUTE, 2 * DAY])
        client = self.random.choices(self.clients, [6, 6, 6, 4, 1][:len(self.clients)])[0]
        return {"contract": contract, "account": f"a{account}", "person": f"p{account % PERSONS}", "client": client,
                "start": micros(start), "pay": pay}

    def contract(self, good=lambda _: True):
        return self.pick(self.house.contracts, lambda one: one.state == "ACTIVE" and good(one))

    def span(self, contract):
        """Time that the person has not written yet, or any; in this week or the last one."""
        now = self.house.now.replace(second=0, microsecond=0)
        length = self.random.choice([1, 7, 30, 61, 240, 600, 1_440]) * MINUTE
        week = rules.monday(now)
        earliest = week if rules.closes(week - WEEK) <= now else week - WEEK
        if contract:
            ends = (entry.end for one in self.house.people[contract.person] for entry in one.entries.values())
            earliest = max([*ends, contract.start.replace(second=0, microsecond=0) + MINUTE, earliest])
        start = earliest + self.random.choice([0, 1, 30, 200]) * MINUTE
        if self.careless():
            start = now - self.random.randrange(12 * 24 * 60) * MINUTE
        if start < now < start + length and not self.careless():
            length = now - start
        end = start + length
        if not self.careless():
            # Where the week ends, the entry does.
            end = min(end, rules.monday(start) + WEEK)
        if self.careless(2):
            end += self.random.choice([-length, 1_500 * MINUTE, 30 * 1_000_000 * MICRO])
        return {"from": micros(start), "to": micros(end)}

    def add_time(self):
        name = self.contract(lambda one: one.rate is not None)
        span = self.span(self.house.contracts.get(name))
        return {"contract": name, **span, "tracked": self.careless(70), "as": self.name("e")}

    def entry(self):
        return self.pick(self.house.entries, lambda one: not self.house.closed(one.start))

    def change_time(self):
        name = self.entry()
        entry = self.house.entries.get(name)
        span = self.span(entry and entry.contract)
        if entry and self.careless(50):
            # The same beginning and less of it, or the very same.
            end = max(entry.end - self.random.choice([0, 5]) * MINUTE, entry.start + MINUTE)
            span = {"from": micros(entry.start), "to": micros(end)}
        return {"entry": name, **span}

    def remove_time(self):
        return {"entry": self.entry()}

    def limit(self):
        minutes = self.random.choice([1, 59, 60, 300, 600, 1_201, 2_400, 10_080] + [0, 10_081] * self.careless(10))
        return {"contract": self.contract(lambda one: one.rate is not None), "minutes": minutes}

    def pause(self):
        return {"contract": self.contract()}

    def resume(self):
        return {"contract": self.pick(self.house.contracts, lambda one: one.state == "PAUSED")}

    def end(self):
        return {"contract": self.contract()}

    def create_milestone(self):
        name = self.contract(lambda one: one.fixed)
        return {"contract": name, "amount": self.amount(self.house.contracts.get(name)), "as": self.name(f"{name}/m")}

    def milestone(self, *states):
        return {"milestone": self.pick(self.house.milestones, lambda one: one.state in states)}

    def fund(self):
        return self.milestone("AGREED")

    def submit(self):
        return self.milestone("FUNDED")

    def request_changes(self):
        return self.milestone("SUBMITTED")

    def approve(self):
        return self.milestone("SUBMITTED")

    def cancel_milestone(self):
        return self.milestone("AGREED")

    def refund_escrow(self):
        return self.milestone("FUNDED", "SUBMITTED")

    def bonus(self):
        name = self.pick(self.house.contracts)
        return {"contract": name, "amount": self.amount(self.house.contracts.get(name)), "as": self.name(f"{name}/b")}

    def of_earning(self, good, among=()):
        name = self.pick(self.house.earnings, lambda one: one.refunded < one.gross and good(one))
        name = self.random.choice(among) if among else name
        earning = self.house.earnings.get(name)
        if earning is None:
            return {"earning": name, "amount": [1, "USD"]}
        left = earning.gross - earning.refunded - earning.disputed
        return {"earning": name, "amount": self.part(earning.gross, left, earning.contract)}

    def refund(self):
        """Half of them of what is settled, some of that long ago."""
        old = self.careless(50)
        return self.of_earning(lambda one: one.settled == old, [*self.house.earnings][:20] if self.careless(8) else [])

    def dispute(self):
        return {**self.of_earning(lambda one: not one.settled and one.dispute is None), "as": self.name("d")}

    def open_dispute(self):
        return self.pick(self.house.disputes, lambda one: one.state == "OPEN")

    def resolve(self):
        name, outcome = self.open_dispute(), self.random.choice(["TALENT", "CLIENT", "SPLIT"])
        if outcome != "SPLIT":
            return {"dispute": name, "outcome": outcome}
        dispute = self.house.disputes.get(name)
        share = self.amount(dispute.earning.contract, dispute.amount) if dispute else [1, "USD"]
        return {"dispute": name, "outcome": outcome, "share": share}

    def withdraw_dispute(self):
        return {"dispute": self.open_dispute()}

    def note(self):
        return {"dispute": self.open_dispute()}

    def chargeback(self):
        reference = self.name("r") if not self.careless(5) else "r0"
        if self.careless(30):
            name = self.pick(self.house.milestones, lambda one: one.state in ("FUNDED", "SUBMITTED"))
            milestone = self.house.milestones.get(name)
            whole = [milestone.amount, milestone.contract.currency] if milestone else [1, "USD"]
            amount = self.amount(milestone and milestone.contract) if self.careless() else whole
            return {"payment": name, "amount": amount, "reference": reference, "as": self.name("x")}
        it = self.of_earning(lambda one: True)
        return {"payment": it["earning"], "amount": it["amount"], "reference": reference, "as": self.name("x")}

    def reverse_chargeback(self):
        return {"chargeback": self.pick(self.house.chargebacks, lambda one: not one.reversed)}

    def reward(self):
        """The next release of a tie, one that came before once more, or one that says less than the one before."""
        tie = f"t{self.random.randrange(TIES)}"
        currency = self.random.choice(["USD", "JPY"])
        epoch, sequence, total = self.rewards.get((tie, currency), (1, 0, 0))
        said = {"tie": f"{tie} {currency}", "account": f"a{int(tie[1:]) % self.accounts}"}
        if sequence and self.careless(20):
            return {**said, "epoch": epoch, "sequence": sequence, "cumulative": [total, currency]}
        if self.careless(5):
            epoch, sequence = epoch + 1, 0
        total = max(total + self.random.randrange(-500, 3_000), 0)
        self.rewards[tie, currency] = epoch, sequence + 1, total
        return {**said, "epoch": epoch, "sequence": sequence + 1, "cumulative": [total, currency]}

    def tax_form(self):
        return {"account": f"a{self.random.randrange(self.accounts)}"}

    def way_out(self):
        kind, currency = self.random.choice([*rules.TARIFFS])
        if self.careless():
            currency = self.random.choice(self.currencies)
        token = self.random.choice(["bank-1", "bank-1", "bank-2", rules.CLOSED])
        return {**self.tax_form(), "kind": kind, "currency": currency, "token": token, "as": self.name("w")}

    def withdraw(self):
        """Mostly all there is, so that what is taken back later is owed."""
        house = self.house
        name = self.pick(house.ways, lambda way: house.free[way.account, way.currency] > 0)
        way = house.ways.get(name)
        it = {"way": name, "account": way.account if way else "a0", "currency": way.currency if way else "USD",
              "as": self.name("o")}
        free = max(house.free[way.account, way.currency], 1) if way else 1
        if self.careless(40):
            it["amount"] = [self.random.choice([free, free + 1, self.random.randint(1, free)]), it["currency"]]
            if self.careless(5):
                it["amount"] = self.random.choice([[0, it["currency"]], [it["amount"][0], "KWD"]])
        return it

    def cancel_payout(self):
        return {"payout": self.pick(self.house.payouts, lambda one: one.state == "REQUESTED")}

    # Time and order.

    def next_moment(self, by):
        """A moment until then; often just before, at, or just after something that is due."""
        now = self.house.now
        due = self.house.due[0][0] if self.house.due else by
        if now < due <= by and self.careless(40):
            return max(due + self.random.choice([-1, 0, 1]) * MICRO, now + MICRO)
        return max(now + MICRO, by - self.random.randrange(micros(by) - micros(now) + 1) * MICRO)

    def command(self, do):
        """One command at this moment; the model does it, too."""
        return self.told(do, **getattr(self, do)())

    def told(self, do, **what):
        it = {"at": micros(self.house.now), "do": do, **what}
        try:
            getattr(self.house, do)(it)
        except Refused:
            pass
        return it

    def looks(self, *whats):
        for what in whats:
            yield {"at": micros(self.house.now), "do": "look", "what": what}


def commands(seed, count, days):
    """One after another."""
    player = Player(seed)
    house, looked = player.house, START
    for number in range(count):
        by = START + number * (days * DAY) // count
        house.advance(player.next_moment(max(by, house.now + MICRO)))
        do = FIRST[number] if number < len(FIRST) else player.random.choices([*WEIGHTS], WEIGHTS.values())[0]
        # A payout can be called off for a few minutes only.
        waits = any(payout.state == "REQUESTED" for payout in house.payouts.values())
        yield player.command("cancel_payout" if waits and player.careless(20) else do)
        if house.now - looked >= WEEK:
            looked = house.now
            yield from player.looks("balances", "ledger")
    yield from player.looks("balances", "ledger", "earnings", "milestones", "invoices", "payouts", "told")


def together(seed, count):
    """Many at once, on few accounts and contracts; what they have left open is closed by one."""
    player = Player(seed, accounts=3, currencies=["USD", "JPY"], clients=3, recurring=False)
    house = player.house
    for account, token in [("a0", "bank-1"), ("a1", "bank-1"), ("a2", rules.CLOSED)]:
        yield player.told("tax_form", account=account)
        for currency in player.currencies:
            way = {"kind": "BANK_TRANSFER", "currency": currency, "token": token, "as": player.name("w")}
            yield player.told("way_out", account=account, **way)
    for _ in range(8):
        yield player.command("offer")
    for _ in range(40):
        yield player.command("create_milestone")
    for after in MOMENTS:
        house.advance(START + after)
        for _ in range(count // len(MOMENTS)):
            yield {**player.command(player.random.choices([*AT_ONCE], AT_ONCE.values())[0]), "together": True}
        yield from player.looks("ledger")
    for name in [f"d{number}" for number in range(player.counts["d"] + 1)]:
        yield {"at": micros(house.now), "do": "withdraw_dispute", "dispute": name}
    house.advance(house.now + 30 * DAY)
    yield from player.looks("balances", "ledger", "milestones", "payouts")
