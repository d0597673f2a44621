#!/usr/bin/python3
"""read_mail.py - takes the message on standard input apart, by Python's email module. Prints its fields From, To,
Cc, Subject and X-Mark, decoded, then each part: its type, character set, disposition and file name, and its
content, as an escaped string (text) or in hexadecimal. Ends with 1 where the parser finds a defect."""

import email
import email.policy
import sys


def defects_of(message):
    found = list(message.defects)
    for part in message.walk():
        found += part.defects
        found += [defect for field in part.values() for defect in field.defects]
    return found


def show(part):
    charset = part.get_content_charset() or "-"
    print("part", part.get_content_type(), charset, part.get_content_disposition() or "-", part.get_filename() or "-")
    if not part.is_multipart():
        content = part.get_content()
        print("  ", ascii(content) if isinstance(content, str) else content.hex())


sys.stdout.reconfigure(encoding="utf-8")
message = email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.default)
for name in ("From", "To", "Cc", "Subject", "X-Mark"):
    for value in message.get_all(name, []):
        print(name, value)
for part in message.walk():
    show(part)
wrong = defects_of(message)
if wrong or not (message["Date"] and message["Date"].datetime and message["Message-ID"]):
    print("defects", wrong)
    sys.exit(1)
