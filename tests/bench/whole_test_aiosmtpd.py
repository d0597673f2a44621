"""What whole_test.c does, with aiosmtpd's Controller and smtplib: start a server, connect, send one
message, wait for it, assert on it, stop. `whole_test_aiosmtpd.py COUNT` prints "median_us N p90_us N".
"""
import queue
import smtplib
import socket
import sys
import time
from email import message_from_bytes

from aiosmtpd.controller import Controller


class Capture:
    """Keeps each message where the test can wait for it."""

    def __init__(self):
        self.messages = queue.Queue()

    async def handle_DATA(self, server, session, envelope):
        self.messages.put((envelope.rcpt_tos, envelope.content))
        return "250 OK"


def free_port():
    """Controller cannot use port 0: it connects to the port it was given to see that it runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def whole_test(port):
    capture = Capture()
    controller = Controller(capture, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        # local_hostname: without it smtplib asks for the host's full name, which may ask a name server
        with smtplib.SMTP("127.0.0.1", port, local_hostname="bench.test") as client:
            client.sendmail("ann@example.com", ["bob@example.com"], "Subject: Hi\n\nHello\n")
            recipients, content = capture.messages.get(timeout=5)
            assert recipients == ["bob@example.com"]
            assert message_from_bytes(content)["Subject"] == "Hi"
    finally:
        controller.stop()


def main():
    count = int(sys.argv[1])
    elapsed_us = []
    for _ in range(count):
        port = free_port()  # not part of what is measured
        start_ns = time.monotonic_ns()
        whole_test(port)
        elapsed_us.append((time.monotonic_ns() - start_ns) / 1e3)
    elapsed_us.sort()
    print(f"median_us {elapsed_us[count // 2]:.1f} p90_us {elapsed_us[count * 9 // 10]:.1f}")


if __name__ == "__main__":
    main()
