#!/usr/bin/python3
"""read_maildir.py DIR - what Python's mailbox module finds in a Maildir that others deliver into: for each message,
oldest first, "from PATH" of its Return-Path, a line "to PATH" for each Delivered-To, "octets N", and the N octets behind
its Received field. Marks each as read, and removes it."""

import mailbox
import sys

box = mailbox.Maildir(sys.argv[1], factory=None, create=False)
for key in sorted(box.keys()):  # seconds and microseconds, of as many digits each
    message = box[key]
    assert message.get_subdir() == "new" and message.get_flags() == ""
    octets = box.get_bytes(key)
    end = octets.index(b"\nReceived: ") + 1
    end = octets.index(b"\n", end)
    while octets[end + 1 : end + 2] in (b" ", b"\t"):
        end = octets.index(b"\n", end + 1)
    content = octets[end + 1 :]
    lines = [f"from {message['Return-Path']}", *(f"to {path}" for path in message.get_all("Delivered-To", []))]
    sys.stdout.buffer.write("\n".join([*lines, f"octets {len(content)}\n"]).encode() + content)
    message.set_subdir("cur")
    message.set_flags("S")
    box[key] = message
    assert box[key].get_flags() == "S"
    box.remove(key)
assert len(box) == 0
