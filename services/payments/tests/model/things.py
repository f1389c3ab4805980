"""What the house speaks of, and how it refuses."""

import dataclasses
import datetime


class Refused(Exception):
    """The reasons for which a command has to be refused, of which any may be told; of bad fields all have to be."""

    def __init__(self, reasons, bad_fields=False):
        super().__init__(reasons)
        self.reasons, self.bad_fields = set(reasons), bad_fields

    def allows(self, told):
        return set(told) == self.reasons if self.bad_fields else len(told) == 1 and set(told) <= self.reasons


def refuse(**reasons):
    wrong = {reason for reason, applies in reasons.items() if applies}
    if wrong:
        raise Refused(wrong)


def check(violations):
    if violations:
        raise Refused(violations, bad_fields=True)


@dataclasses.dataclass
class Contract:
    name: str
    person: str
    account: str
    currency: str
    client: str
    rate: int | None
    limits: dict
    start: datetime.datetime
    # What is paid per period, and how long that is; of a recurring contract.
    recurring: tuple[int, str] | None = None
    state: str = "ACTIVE"
    ended: datetime.datetime | None = None
    # Times in which it was paused, and in which it was held up because its client could not be charged: lists of two, of which
    # the second is not there yet while it lasts.
    pauses: list = dataclasses.field(default_factory=list)
    holds: list = dataclasses.field(default_factory=list)
    # What the client could not be charged for, and since when.
    failing: dict = dataclasses.field(default_factory=dict)
    net: int = 0
    milestones: list = dataclasses.field(default_factory=list)
    entries: dict = dataclasses.field(default_factory=dict)
    weeks: set = dataclasses.field(default_factory=set)

    def limit(self, week):
        """What was set last by then."""
        return self.limits[max(since for since in self.limits if since <= week)]

    @property
    def fixed(self):
        return self.rate is None and self.recurring is None

    @property
    def unpaid(self):
        return min(self.failing.values(), default=None)


def begin(times, now):
    """A time of no work begins; one that began in this very moment goes on."""
    if times and times[-1][0] == now:
        times[-1][1] = None
    else:
        times.append([now, None])


def finish(times, now):
    if times and times[-1][1] is None:
        times[-1][1] = now


@dataclasses.dataclass
class Milestone:
    contract: Contract
    amount: int
    state: str = "AGREED"
    submitted: datetime.datetime | None = None
    # Since when the client says nothing of it.
    silent: datetime.datetime | None = None
    approved: datetime.datetime | None = None
    # What providers have taken out of escrow, and whether the rest was given back to the client.
    taken: int = 0
    given_up: bool = False

    @property
    def escrow(self):
        return self.amount - self.taken if self.state in ("FUNDED", "SUBMITTED", "CHARGED_BACK") else 0


@dataclasses.dataclass
class Entry:
    contract: Contract
    start: datetime.datetime
    end: datetime.datetime
    tracked: bool


@dataclasses.dataclass
class Invoice:
    contract: Contract
    minutes: int
    over: int
    amount: int
    lines: list
    paid: datetime.datetime | None = None


@dataclasses.dataclass
class Earning:
    source: str
    contract: Contract
    gross: int
    fee: int
    occurred: datetime.datetime
    available: datetime.datetime
    # Until when, that moment included, it can be disputed.
    review: datetime.datetime
    pending: int
    refunded: int = 0
    dispute: "Dispute | None" = None
    settled: bool = False

    @property
    def disputed(self):
        return self.dispute.amount if self.dispute else 0


@dataclasses.dataclass
class Dispute:
    earning: Earning
    amount: int
    held: int
    state: str = "OPEN"
    refunded: int = 0


@dataclasses.dataclass
class Chargeback:
    payment: str
    contract: Contract
    taken: int
    lost: int
    from_earning: bool
    reversed: bool = False


@dataclasses.dataclass
class Way:
    """A way out for an account's money."""

    account: str
    kind: str
    currency: str
    token: str
    added: datetime.datetime


@dataclasses.dataclass
class Payout:
    way: Way
    amount: int
    fee: int
    state: str = "REQUESTED"


@dataclasses.dataclass
class Charge:
    contract: Contract
    amount: int
    # A milestone is not tried again; a bonus that cannot be had is forgotten, an invoice is owed.
    kind: str
    paid: object
    attempts: int = 0
    failed: datetime.datetime | None = None
    given_up: bool = False
