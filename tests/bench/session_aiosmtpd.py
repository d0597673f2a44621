"""session_aiosmtpd.py COUNT OCTETS - one session of smtplib with aiosmtpd in the same process, one message after the other, as
their documentation has it; each message is kept. Prints "rate MESSAGES_A_SECOND"."""

import smtplib
import socket
import sys
import time

from aiosmtpd.controller import Controller


class Keep:
    def __init__(self):
        self.messages = []

    async def handle_DATA(self, server, session, envelope):  # pylint: disable=invalid-name,unused-argument
        self.messages.append(envelope)
        return "250 OK"


def free_port():
    """As in whole_test_aiosmtpd.py."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main():
    count, octets = int(sys.argv[1]), int(sys.argv[2])
    header = b"From: ann@example.com\r\nTo: bob@example.com\r\nSubject: session\r\n\r\n"
    lines = (octets - len(header)) // 72
    content = header + (b"x" * 70 + b"\r\n") * lines
    handler = Keep()
    port = free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    with smtplib.SMTP("127.0.0.1", port, local_hostname="bench.test") as client:
        client.ehlo()
        begin_s = time.perf_counter()
        for _ in range(count):
            client.sendmail("ann@example.com", ["bob@example.com"], content)
        elapsed_s = time.perf_counter() - begin_s
    controller.stop()
    if len(handler.messages) != count:
        sys.exit(f"{count} messages were sent, {len(handler.messages)} kept")
    print(f"rate {count / elapsed_s:.1f}")


main()
