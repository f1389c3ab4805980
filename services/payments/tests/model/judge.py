"""Replays a log in the model and says what differs."""

import collections
import json

import looks
from house import House
from rules import moment
from things import Refused


class Judge:
    def __init__(self, log):
        self.house, self.wrong = House(), []
        self.done, self.refused, self.looked = collections.Counter(), collections.Counter(), 0
        for number, it in enumerate(log, 1):
            self.house.advance(moment(it["at"]))
            self.look(number, it) if it["do"] == "look" else self.one(number, it)

    def one(self, number, it):
        expected, refusal = self.expect(it)
        if told := it.get("refused"):
            self.refused[told[0].split()[-1]] += 1
            if refusal is None or not refusal.allows(told):
                self.differ(number, it, f"was refused for {told}, expected {refusal or expected}")
        elif refusal is not None:
            self.differ(number, it, f"succeeded, expected {refusal}")
        else:
            self.done[it["do"]] += 1
            if expected != it["answer"]:
                self.differ(number, it, f"expected {expected}")

    def expect(self, it):
        try:
            return getattr(self.house, it["do"])(it), None
        except Refused as refusal:
            return None, refusal

    def look(self, number, it):
        self.looked += 1
        if off := looks.zero(self.house):
            self.wrong.append(f"{number}: the model itself does not balance: {off}")
        expected = json.loads(json.dumps(looks.LOOKS[it["what"]](self.house)))
        found = it["answer"]
        for key in sorted(expected.keys() | found.keys()):
            if expected.get(key) != found.get(key):
                self.wrong.append(
                    f"{number}: {it['what']} of {key} at {moment(it['at'])}: "
                    f"expected {expected.get(key)}, found {found.get(key)}"
                )

    def differ(self, number, it, how):
        self.wrong.append(f"{number}: {json.dumps(it)} {how}")

    def __str__(self):
        done, refused = sum(self.done.values()), sum(self.refused.values())
        kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(self.done.items()))
        reasons = ", ".join(f"{number} {reason}" for reason, number in sorted(self.refused.items()))
        return (
            f"{done} commands done ({kinds}), {refused} refused ({reasons}), {len(self.house.earnings)} earnings, "
            f"{len(self.house.invoices)} invoices, {self.looked} looks: equal to the minor unit"
        )
