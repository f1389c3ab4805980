"""What follows from a moment, from minutes and from totals: the arithmetic of docs/rules.md, in integers."""

import datetime

EPOCH = datetime.datetime(1970, 1, 1)
MICRO = datetime.timedelta(microseconds=1)
MINUTE = datetime.timedelta(minutes=1)
HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)
WEEK = 7 * DAY

# The largest amount that anybody may agree on.
LARGEST = 10_000_000_000_000
# The terms of the service fee that new contracts are bound to [F14].
FEE_BASIS_POINTS = 1_000
# Silence approves [B7]; money is available so long after it is owed [F6]; refunds are possible for so long.
SILENCE = 14 * DAY
AVAILABILITY = 5 * DAY
REFUNDS = 180 * DAY
# A charge that has failed is tried again so long after it first failed.
RETRIES = [1 * DAY, 3 * DAY, 5 * DAY]
# Fee and least amount of a payout, by kind and currency; what is not here is not offered.
TARIFFS = {
    ("BANK_TRANSFER", "USD"): (99, 1_000), ("BANK_TRANSFER", "EUR"): (99, 1_000), ("BANK_TRANSFER", "JPY"): (150, 1_500),
    ("WIRE", "USD"): (3_000, 10_000), ("WIRE", "KWD"): (9_000, 30_000),
}
# A way out is used three days after it was added; a payout can be called off for ten minutes [F12].
KNOWN_BEFORE_USED = 3 * DAY
TIME_TO_CANCEL = 10 * MINUTE
# Where nothing arrives.
CLOSED = "sandbox-fails"
# How often a client's bank says no to a charge; what is not here never does.
DECLINES = {"k3": 2, "k4": 99}


def moment(micros):
    return EPOCH + micros * MICRO


def micros(moment):
    return None if moment is None else (moment - EPOCH) // MICRO


def monday(moment):
    """The Monday 00:00 with which the week of a moment begins."""
    midnight = datetime.datetime.combine(moment.date(), datetime.time())
    return midnight - midnight.weekday() * DAY


def closes(week):
    """Monday noon after the week: it is invoiced, and takes no time any more [F5]."""
    return week + WEEK + 12 * HOUR


def review(end, paid):
    """The last moment in which an invoice may be disputed: that of the fifth day after what it is for; of one that was paid later,
    the last one before its money is available."""
    friday = end + 5 * DAY - MICRO
    return friday if paid <= friday else paid + AVAILABILITY - MICRO


def months_later(first, months):
    """The same day so many months later, or the last one of its month."""
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    last = (datetime.datetime(year + month // 11, (month + 1) % 12 + 1, 1) - DAY).day
    return first.replace(year=year, month=month + 1, day=min(first.day, last))


def period(first, every, number):
    """From when to when the period of this number is, counted from the day on which the contract begins."""
    days, months = {"WEEK": (7, 0), "TWO_WEEKS": (14, 0), "MONTH": (0, 1), "QUARTER": (0, 3)}[every]
    at = [months_later(first + number * days * DAY, number * months) for number in (number, number + 1)]
    return tuple(at)


def cost(amount, start, end, until, halts):
    """The part of an amount for the time in which work could go on, each microsecond of it by itself rather than by intervals:
    the moments at which that changes are few."""
    moments = sorted({start, min(end, until), *(at for halt in halts for at in halt if at and start < at < min(end, until))})
    worked = datetime.timedelta()
    for before, after in zip(moments, moments[1:]):
        if after > start and not any(since <= before and (to is None or to >= after) for since, to in halts):
            worked += after - before
    return amount * (worked // MICRO) // ((end - start) // MICRO) if until > start else 0


def fee(total):
    """The service fee on all that was earned under a contract less what went back."""
    return total * FEE_BASIS_POINTS // 10_000


def invoice(entries, limit, rate):
    """Minutes, minutes over the limit, the amount, and what each line has of it, for the entries of a week."""
    minutes = over = 0
    sums = [0]
    for start, end in sorted(entries):
        worked = (end - start) // MINUTE
        counted = min(worked, limit - minutes)
        minutes += counted
        over += worked - counted
        sums.append(minutes * rate // 60)
    return minutes, over, sums[-1], [after - before for before, after in zip(sums, sums[1:])]


def span_violations(start, end):
    """What is wrong with a time entry, whatever its contract: whole minutes, in order, of one day's length and one week."""
    if start.second or start.microsecond:
        return ["start_time OUT_OF_RANGE"]
    wrong = end.second or end.microsecond or not start < end <= min(start + DAY, monday(start) + WEEK)
    return ["end_time OUT_OF_RANGE"] if wrong else []


def amount_violations(amount, field="amount"):
    minor, currency = amount
    wrong = [] if currency in DECIMALS else [f"{field}.currency_code UNKNOWN_CURRENCY"]
    if not 0 < minor <= LARGEST:
        wrong.append(f"{field}.minor_units OUT_OF_RANGE")
    return wrong


# The currencies that are played with; there are more.
DECIMALS = {"JPY": 0, "CLP": 0, "USD": 2, "EUR": 2, "INR": 2, "KWD": 3, "TND": 3}
