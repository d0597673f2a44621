#!/usr/bin/python3
"""receive_aiosmtpd.py - an aiosmtpd server on a free port of 127.0.0.1 until standard input ends.

Prints "port N" when it listens. At the end, for each message: "from PATH", a line "to PATH" for each
recipient, "octets N", and the N octets of its content as received."""

import asyncio
import sys

from aiosmtpd.smtp import SMTP

LIMIT_OCTETS = 32 << 20


class Keeper:
    def __init__(self):
        self.envelopes = []

    async def handle_DATA(self, server, session, envelope):
        self.envelopes.append(envelope)
        return "250 2.0.0 kept"


def show(envelope):
    lines = [f"from {envelope.mail_from}", *(f"to {path}" for path in envelope.rcpt_tos)]
    lines.append(f"octets {len(envelope.content)}\n")
    sys.stdout.buffer.write("\n".join(lines).encode() + envelope.content)


async def main():
    keeper = Keeper()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(keeper, data_size_limit=LIMIT_OCTETS, hostname="aiosmtpd.test"), "127.0.0.1", 0
    )
    print("port", server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    loop.add_reader(0, lambda: sys.stdin.buffer.raw.read(1) or ended.set())
    await ended.wait()
    for envelope in keeper.envelopes:
        show(envelope)


asyncio.run(main())
