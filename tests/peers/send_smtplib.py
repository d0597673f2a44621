#!/usr/bin/python3
"""send_smtplib.py PORT TIMES FROM TO... - sends standard input's octets by smtplib, TIMES times in one
session, and prints a line for each recipient that was refused: its address and code."""

import smtplib
import sys

port, times, reverse_path, *forward_paths = sys.argv[1:]
octets = sys.stdin.buffer.read()
options = [] if octets.isascii() else ["BODY=8BITMIME"]
with smtplib.SMTP("127.0.0.1", int(port), timeout=10) as client:
    for _ in range(int(times)):
        refused = client.sendmail(reverse_path, forward_paths, octets, options)
        for forward_path, (code, _text) in refused.items():
            print(forward_path, code)
