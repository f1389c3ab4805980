#!/usr/bin/env python3
"""Checks a signed statement of the referral service, without asking anybody.

    verify_statement.py --keys keys.json statement.json

keys.json is the JWK Set that ListStatementKeys answers, kept since before the statement was doubted. What is checked: the
signature; the hash of each version of the terms; the rate of each line, by those terms; each product, each sum, each rounding.
Exit status 0 and a summary if all is right, 1 and the first mistake if not. Needs Python 3.11 and `cryptography`.
docs/statements.md explains the file.
"""

import argparse
import base64
import collections
import hashlib
import json
import re
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT = "vouch-statement/1"
PER_MINOR_UNIT = 10_000


class Wrong(Exception):
    """What is wrong with a statement."""


def check(right, what):
    if not right:
        raise Wrong(what)


def number(text, what):
    """An amount: digits in quotation marks, with a minus or none. JSON numbers are floats to many programs."""
    check(isinstance(text, str) and re.fullmatch(r"0|-?[1-9][0-9]*", text), f"{what}: {text!r} is no whole number in quotation marks")
    return int(text)


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def check_signature(file, keys):
    statement = file["statement"]
    key_id = file["key_id"]
    check(statement["key_id"] == key_id, "the statement names another key than the file")
    check(key_id in keys, f"the key {key_id} is not among the known ones")
    # RFC 8785: no white space, members in order. All is ASCII, and no number has a fraction.
    signed = json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()
    try:
        Ed25519PublicKey.from_public_bytes(keys[key_id]).verify(decode(file["signature"]), signed)
    except (InvalidSignature, ValueError) as error:
        raise Wrong("the signature is not that of the statement") from error


def read_terms(statement):
    """By version: the rates that the terms say, after their hash was made again."""
    terms = {}
    for version in statement["terms"]:
        number_of, content = version["version"], version["content"]
        check(hashlib.sha256(content.encode()).hexdigest() == version["sha256"], f"terms {number_of} have another hash")
        check(content.startswith(f"vouch referral terms\nversion {number_of}\n"), f"terms {number_of} are of another version")
        says = dict(line.split(" ", 1) for line in content.splitlines() if " " in line)

        def rate(name, old_name=None, says=says):
            found = says.get(name) or says.get(old_name, "0")
            return int(found.split()[0])

        lifetime, bonus = rate("lifetime_basis_points", "lifetime"), rate("bonus_basis_points", "bonus")
        if says.get("bonus_basis") == "ACCRUED_COMMISSION":
            bonus = lifetime * bonus // 10_000
        terms[number_of] = {
            "LIFETIME_SHARE": lifetime,
            "WINDOW_BONUS": bonus,
            "SIGN_UP_BONUS": 10_000,
            "CLIENT_REWARD": 10_000,
            "AGENCY": rate("agency_basis_points"),
            "INTRODUCTION": rate("introduction_basis_points"),
        }
    return terms


def rate_of(reward, line, terms):
    version = line["terms_version"]
    check(version in terms, f"terms {version} are not in the statement")
    kind = reward["kind"]
    if kind == "INTRODUCTION_COMMISSION":
        kind = "AGENCY" if reward["referral_kind"] == "AGENCY" else "INTRODUCTION"
    check(kind in terms[version], f"there is no kind {kind}")
    return terms[version][kind]


def read_sum(told, what):
    """Base and exact share, after the rounding was done again: down, and never less than nothing."""
    base, exact = number(told["base"], what), number(told["exact_ten_thousandths"], what)
    check(number(told["rounded"], what) == max(0, exact // PER_MINOR_UNIT), f"{what} is rounded otherwise")
    return base, exact


def check_reward(reward, statement, terms):
    """What a reward has come to before and after the period, in minor units, and what of it was released."""
    name = f"{reward['kind']} of {reward['tie_id']}"
    base, exact = read_sum(reward["opening"], f"{name}: the opening sum")
    seen = set()
    for line in reward["lines"]:
        what = f"{name}, line {line.get('reversal_id') or line.get('earning_id') or 'granted once'}"
        amount = number(line["amount"], what)
        check(line["basis_points"] == rate_of(reward, line, terms), f"{what}: the terms say another rate")
        check(
            number(line["exact_ten_thousandths"], what) == amount * line["basis_points"],
            f"{what}: {amount} at {line['basis_points']} basis points is another share",
        )
        key = (line.get("earning_id"), line.get("reversal_id"))
        check(key not in seen, f"{what} stands there twice")
        seen.add(key)
        if "booked_at" in line:
            check(moment(statement["from"]) <= moment(line["booked_at"]) < moment(statement["until"]), f"{what}: not of the period")
        base, exact = base + amount, exact + amount * line["basis_points"]
    check(read_sum(reward["closing"], f"{name}: the closing sum") == (base, exact), f"{name}: the lines come to another closing sum")
    later = read_sum(reward["later"], f"{name}: the later sum")
    stands = {part: number(reward["as_of"][part], name) for part in ("due", "held", "pending", "released")}
    gate = reward["as_of"]["gate"]
    paid_before = number(reward["paid_before"], name)
    check(paid_before >= 0, f"{name}: less than nothing was paid before")
    due = max(0, max(0, (exact + later[1]) // PER_MINOR_UNIT) - paid_before) if gate in ("PAYS", "HELD") else 0
    check(stands["due"] == due, f"{name}: another amount is due, as far as it {gate}")
    waiting = max(0, due - stands["released"])
    check(stands["held"] + stands["pending"] == waiting, f"{name}: what waits is another amount")
    check(stands["held" if gate == "PAYS" else "pending"] == 0, f"{name}: what waits, waits for another reason")
    opening = number(reward["opening"]["rounded"], name)
    return opening, max(0, exact // PER_MINOR_UNIT), stands["released"]


def moment(text):
    """Moments are UTC, with up to six decimals: made of one length, they compare as texts."""
    whole, _, rest = text.removesuffix("Z").partition(".")
    return f"{whole}.{rest:0<6}"


def verify(file, keys):
    """The statement, after everything in it was computed again."""
    check_signature(file, keys)
    statement = file["statement"]
    check(statement["format"] == FORMAT, f"the format is {statement['format']}, not {FORMAT}")
    terms = read_terms(statement)
    sums = collections.defaultdict(lambda: [0, 0, 0])
    for reward in statement["rewards"]:
        for place, amount in enumerate(check_reward(reward, statement, terms)):
            sums[reward["currency"]][place] += amount
    told = {
        total["currency"]: [number(total[part], total["currency"]) for part in ("opening", "closing", "released")]
        for total in statement["totals"]
    }
    check(told == dict(sums), "the rewards come to other totals")
    return statement


def read_keys(path):
    with open(path, encoding="utf-8") as file:
        return {key["kid"]: decode(key["x"]) for key in json.load(file)["keys"] if key.get("crv") == "Ed25519"}


def main():
    parser = argparse.ArgumentParser(description="Checks a signed statement, without asking anybody.")
    parser.add_argument("statement", help="the file as GetSignedStatement answered it")
    parser.add_argument("--keys", required=True, help="the JWK Set as ListStatementKeys answered it")
    asked = parser.parse_args()
    try:
        with open(asked.statement, encoding="utf-8") as file:
            statement = verify(json.load(file), read_keys(asked.keys))
    except Wrong as wrong:
        sys.exit(f"WRONG: {wrong}")
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        sys.exit(f"WRONG: this is no statement: {error!r}")
    lines = sum(len(reward["lines"]) for reward in statement["rewards"])
    print(f"GOOD: {len(statement['rewards'])} rewards, {lines} lines, {statement['from']} to {statement['until']}, key {statement['key_id']}")
    for total in statement["totals"]:
        print(f"{total['currency']}: {total['opening']} before, {total['closing']} at the end, {total['released']} released (minor units)")


if __name__ == "__main__":
    main()
