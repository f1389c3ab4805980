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
    rate: int | None
    limits: dict
    start: datetime.datetime
    state: str = "ACTIVE"
    net: int = 0
    milestones: list = dataclasses.field(default_factory=list)
    entries: dict = dataclasses.field(default_factory=dict)
    weeks: set = dataclasses.field(default_factory=set)

    def limit(self, week):
        """What was set last by then."""
        return self.limits[max(since for since in self.limits if since <= week)]


@dataclasses.dataclass
class Milestone:
    contract: Contract
    amount: int
    state: str = "AGREED"
    submitted: datetime.datetime | None = None
    approved: datetime.datetime | None = None


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
    amount: int
    from_earning: bool
    reversed: bool = False
