"""The books as they must be, computed from the answers alone, in integers; and compared with the books as they are.

usage: oracle.py answers.jsonl books.json

The answers say what people were told: who joined when and by whom, what was agreed, funded, submitted, approved and
refunded. From them follow every balance, every total and every reward, whatever happened to the processes meanwhile.
Nothing of the product's code is used here.
"""

import calendar
import collections
import datetime
import json
import sys

LIFETIME_BASIS_POINTS = 500
BONUS_BASIS_POINTS = 1_000
WINDOW_MONTHS = 3
PLATFORM = "00000000-0000-0000-0000-000000000000"


def window_end(joined_micros):
    """Three calendar months later, on the last day of the month where that day does not exist."""
    joined = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=joined_micros)
    month = joined.month - 1 + WINDOW_MONTHS
    year, month = joined.year + month // 12, month % 12 + 1
    day = min(joined.day, calendar.monthrange(year, month)[1])
    end = joined.replace(year=year, month=month, day=day)
    return (end - datetime.datetime(1970, 1, 1)) // datetime.timedelta(microseconds=1)


class Expected:
    """What the answers amount to."""

    def __init__(self, answers):
        self.people, self.contracts, self.milestones, self.accounts = {}, {}, {}, {}
        self.refunds = collections.Counter()
        for answer in answers:
            getattr(self, answer["did"])(answer)
        self.ledger = collections.Counter()
        self.totals = collections.defaultdict(lambda: [0, 0])
        self.add_up()

    def enrolled(self, answer):
        self.accounts[answer["referrer"]] = answer["account"]

    def joined(self, answer):
        self.people[answer["person"]] = answer

    def contracted(self, answer):
        self.contracts[answer["contract"]] = answer

    def created(self, answer):
        assert answer["milestone"] not in self.milestones, f"{answer} was created twice"
        self.milestones[answer["milestone"]] = {**answer, "state": "AGREED", "earning": ""}

    def funded(self, answer):
        self.milestones[answer["milestone"]]["state"] = "FUNDED"

    def submitted(self, answer):
        self.milestones[answer["milestone"]].update(state="SUBMITTED", at=answer["at"])

    def approved(self, answer):
        self.milestones[answer["milestone"]].update(state="APPROVED", earning=answer["earning"])

    def refunded(self, answer):
        self.refunds[answer["earning"]] += answer["minor"]

    def add_up(self):
        net = collections.Counter()
        for milestone in self.milestones.values():
            contract = self.contracts[milestone["contract"]]
            currency, minor = contract["currency"], milestone["minor"]
            if milestone["state"] == "AGREED":
                continue
            self.ledger["CLEARING", PLATFORM, currency] -= minor
            if milestone["state"] == "FUNDED":
                self.ledger["ESCROW", milestone["contract"], currency] += minor
                continue
            # What was submitted and not approved, silence has approved.
            back = self.refunds[milestone["earning"]] if milestone["earning"] else 0
            assert 0 <= back <= minor, milestone
            self.ledger["CLEARING", PLATFORM, currency] += back
            net[milestone["contract"]] += minor - back
            total = self.totals[contract["person"], currency]
            total[0] += minor - back
            if milestone["at"] < window_end(self.people[contract["person"]]["at"]):
                total[1] += minor - back
        owed = collections.Counter()
        for contract_id, total in net.items():
            contract = self.contracts[contract_id]
            fee = total * contract["talent_basis_points"] // 10_000
            self.ledger["FEES", PLATFORM, contract["currency"]] += fee
            owed[contract["account"], contract["currency"]] += total - fee
        self.rewards = {}
        for (person, currency), (earnings, window) in self.totals.items():
            share = earnings * LIFETIME_BASIS_POINTS // 10_000
            bonus = window * BONUS_BASIS_POINTS // 10_000
            self.rewards[person, currency] = (earnings, window, share, bonus)
            referrer = self.people[person]["referrer"]
            self.ledger["REWARD_EXPENSE", PLATFORM, currency] -= share + bonus
            owed[self.accounts[referrer], currency] += share + bonus
        for (account, currency), minor in owed.items():
            self.ledger["AVAILABLE", account, currency] += minor


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def differences(what, expected, found):
    for key in sorted(expected.keys() | found.keys(), key=str):
        if expected.get(key) != found.get(key):
            yield f"{what} {key}: expected {expected.get(key)}, found {found.get(key)}"


def main(answers_path, books_path):
    answers = [json.loads(line) for line in read(answers_path).splitlines()]
    books = json.loads(read(books_path))
    expected = Expected(answers)

    # A row that is there twice would hide in a table by its key.
    for rows, key in ((books["milestones"], ("id",)), (books["attributions"], ("person", "currency"))):
        keys = [tuple(row[part] for part in key) for row in rows]
        assert len(keys) == len(set(keys)), f"a row is there twice: {keys}"

    milestones = {m["id"]: (m["contract"], m["minor"], m["state"].removeprefix("STATE_")) for m in books["milestones"]}
    final = {"SUBMITTED": "APPROVED"}
    agreed = {
        id: (m["contract"], m["minor"], final.get(m["state"], m["state"])) for id, m in expected.milestones.items()
    }
    wrong = list(differences("milestone", agreed, milestones))

    found = {
        (row["person"], row["currency"]): (row["earnings"], row["window"], row["share"], row["bonus"])
        for row in books["attributions"]
    }
    wrong += differences("rewards", nonzero(expected.rewards), nonzero(found))
    for row in books["attributions"]:
        if expected.people[row["person"]]["referrer"] != row["referrer"]:
            wrong.append(f"attribution of {row['person']} to {row['referrer']}")

    ledger = collections.Counter()
    for row in books["ledger"]:
        sign = -1 if row["kind"].endswith("RECEIVABLE") else 1
        if row["balance"] is not None and row["balance"] != sign * row["moved"]:
            wrong.append(f"balance {row}: its transfers come to {row['moved']}")
        # What is owed is what is available with the other sign: the two are never there together.
        kind = "AVAILABLE" if row["kind"] == "RECEIVABLE" else row["kind"]
        ledger[kind, row["owner"], row["currency"]] += row["moved"]
    wrong += differences("account", nonzero(expected.ledger), nonzero(ledger))

    if wrong:
        sys.exit("\n".join(wrong[:40] + [f"{len(wrong)} differences in all"]))
    earnings = sum(1 for m in expected.milestones.values() if "at" in m)
    print(f"{len(answers)} answers, {earnings} earnings, {len(expected.rewards)} rewards, "
          f"{len(nonzero(expected.ledger))} ledger accounts: equal to the minor unit")


def nonzero(table):
    return {key: value for key, value in table.items() if value and (not isinstance(value, tuple) or any(value))}


main(*sys.argv[1:])
