#!/usr/bin/env python3
"""Tells the referral service what talent has earned, in the place of Vouch's own payments service.

    buf build proto --path proto/vouch/payments/v1/events.proto -o payments.binpb     # the published contract
    publish_earnings.py --contract payments.binpb --nats nats://127.0.0.1:4222 --nkey payments.seed earnings.jsonl

Each line of earnings.jsonl is an event: {"type": "EarningSettled", and the fields of the message in protobuf's JSON}. Lines may be
sent again at any time, all of them or some: each counts once. A line is printed for each event, "stored" or "known", once NATS has it on
disk; exit status 0 says that it has all of them. Needs Python 3.11, `nats-py[nkeys]` and `protobuf`. docs/earnings.md explains what is sent.
"""

import argparse
import asyncio
import datetime
import json
import sys
import uuid

import nats
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

STREAM = "VOUCH_PAYMENTS"
PACKAGE = "vouch.payments.v1"
# Which field makes the fact what it is: the same fact has the same event id, whoever sends it and how often.
IDENTITY = {
    "EarningSettled": "earning_id",
    "EarningReversed": "reversal_id",
    "EarningReinstated": "reinstatement_id",
    "ContractStarted": "contract_id",
    "ContractEnded": "contract_id",
}
# As many as NATS is asked to store before the first of them has to be stored.
AT_ONCE = 256


def read_contract(path):
    """The messages, by name, made of what `buf build` writes: no code is generated."""
    with open(path, "rb") as file:
        files = descriptor_pb2.FileDescriptorSet.FromString(file.read())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in IDENTITY}


def event_of(line, contract, fresh_ids):
    """Type, payload and headers of a line: a CloudEvent in binary mode."""
    fields = json.loads(line)
    kind = fields.pop("type")
    message = json_format.ParseDict(fields, contract[kind]())
    about = uuid.UUID(getattr(message, IDENTITY[kind]))
    event_id = str(uuid.uuid4() if fresh_ids else uuid.uuid5(about, f"{PACKAGE}.{kind}"))
    headers = {
        "Nats-Msg-Id": event_id,
        "Nats-Expected-Stream": STREAM,
        "ce-specversion": "1.0",
        "ce-id": event_id,
        "ce-type": f"{PACKAGE}.{kind}",
        "ce-source": "/vouch/payments",
        "ce-time": datetime.datetime.now(datetime.UTC).isoformat().replace("+00:00", "Z"),
        "ce-subject": str(about),
    }
    return f"{PACKAGE}.{kind}", message.SerializeToString(), headers


async def publish(jetstream, event, slots):
    subject, payload, headers = event
    async with slots:
        # A time-out says nothing: the event is sent again, and stored once.
        for tries_left in range(5, -1, -1):
            try:
                ack = await jetstream.publish(subject, payload, headers=headers, timeout=10)
            except (nats.errors.TimeoutError, nats.errors.NoRespondersError):
                if not tries_left:
                    raise
            else:
                return f"{'known' if ack.duplicate else 'stored'} {headers['ce-id']} {subject} at {ack.seq}"


async def run(asked):
    contract = read_contract(asked.contract)
    events = [event_of(line, contract, asked.fresh_ids) for line in asked.events if line.strip()]
    # The permissions let each user hear the answers in an inbox of its own.
    refused = asyncio.get_running_loop().create_future()

    async def on_error(error):
        # What a user may not say has no answer; only the connection tells.
        if "permissions violation" in str(error).lower() and not refused.done():
            refused.set_exception(PermissionError(str(error)))

    inbox = f"_INBOX_{asked.user}".encode()
    connection = await nats.connect(asked.nats, nkeys_seed=asked.nkey, inbox_prefix=inbox, error_cb=on_error)
    try:
        slots = asyncio.Semaphore(AT_ONCE)
        jetstream = connection.jetstream()
        work = asyncio.gather(*(publish(jetstream, event, slots) for event in events))
        await asyncio.wait({work, refused}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            work.cancel()
            refused.result()
        print("\n".join(await work))
    finally:
        await connection.drain()


def main():
    parser = argparse.ArgumentParser(description="Tells the referral service what talent has earned.")
    parser.add_argument("events", type=argparse.FileType("r", encoding="utf-8"), help="JSON lines; - for standard input")
    parser.add_argument("--contract", required=True, help="what buf build wrote")
    parser.add_argument("--nats", default="nats://127.0.0.1:4222", help="where NATS is")
    parser.add_argument("--nkey", help="the file with the seed of the user's nkey")
    parser.add_argument("--fresh-ids", action="store_true", help="do not let the event ids follow from the facts")
    parser.add_argument("--user", default="payments", help="the user, after whom the inbox is called")
    try:
        asyncio.run(run(parser.parse_args()))
    except (json_format.ParseError, json.JSONDecodeError, KeyError, ValueError) as error:
        sys.exit(f"nothing was sent: {error!r}")
    except PermissionError as error:
        sys.exit(f"NATS refuses: {error}")


if __name__ == "__main__":
    main()
