#!/usr/bin/python3
"""receive_aiosmtpd.py [CERTIFICATE USER PASSWORD | --lmtp | --proxy] - an aiosmtpd server on a free port of
127.0.0.1 until standard input ends, that speaks LMTP, or wants a PROXY header first, or neither. With a certificate (a PEM file with key and chain) it takes mail only after STARTTLS
and AUTH, and also listens on a second port that speaks TLS from the first octet.

Prints "port N" when it listens, or "ports N N". At the end, for each message: with a certificate a line
"VERSION MECHANISM USER"; behind a PROXY header a line "proxied ADDRESS PORT"; then "from PATH", a line "to PATH" for each recipient, "octets N", and the N octets
of its content as received."""

import asyncio
import logging
import ssl
import sys
import warnings

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, AuthResult

LIMIT_OCTETS = 32 << 20
logging.disable()
warnings.simplefilter("ignore")  # of AUTH without the TLS that it knows of
mode = sys.argv[1] if len(sys.argv) == 2 else ""
certificate, user, password = (sys.argv[1:] if len(sys.argv) == 4 else None) or (None, None, None)


class Keeper:
    def __init__(self):
        self.kept = []

    async def handle_DATA(self, server, session, envelope):
        how = []
        if certificate:
            version = server.transport.get_extra_info("ssl_object").version()
            how.append(f"{version} {session.auth_data[0]} {session.auth_data[1].login.decode()}")
        if mode == "--proxy":
            how.append(f"proxied {session.proxy_data.src_addr} {session.proxy_data.src_port}")
        self.kept.append((how, envelope))
        return "250 2.0.0 kept"

    async def handle_PROXY(self, server, session, envelope, data):
        return data.valid


def authenticate(server, session, envelope, mechanism, data):
    right = (data.login, data.password) == (user.encode(), password.encode())
    return AuthResult(success=right, handled=False, auth_data=(mechanism, data))


def show(how, envelope):
    lines = [*how, f"from {envelope.mail_from}", *(f"to {path}" for path in envelope.rcpt_tos)]
    lines.append(f"octets {len(envelope.content)}\n")
    sys.stdout.buffer.write("\n".join(lines).encode() + envelope.content)


async def listen(keeper, implicit):
    options = {"data_size_limit": LIMIT_OCTETS, "hostname": "aiosmtpd.test"}
    context = None
    if mode == "--proxy":
        options["proxy_protocol_timeout"] = 5
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        options |= {"authenticator": authenticate, "auth_required": True}
        # Of TLS that was there before it, aiosmtpd knows nothing.
        options |= {"auth_require_tls": False} if implicit else {"tls_context": context, "require_starttls": True}
    server = await asyncio.get_running_loop().create_server(
        lambda: (LMTP if mode == "--lmtp" else SMTP)(keeper, **options), "127.0.0.1", 0, ssl=context if implicit else None
    )
    return server


async def main():
    keeper = Keeper()
    servers = [await listen(keeper, implicit) for implicit in ([False, True] if certificate else [False])]
    ports = [str(server.sockets[0].getsockname()[1]) for server in servers]
    print("ports" if certificate else "port", *ports, flush=True)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(0, lambda: sys.stdin.buffer.raw.read(1) or ended.set())
    await ended.wait()
    for how, envelope in keeper.kept:
        show(how, envelope)


asyncio.run(main())
