#!/usr/bin/python3
"""send_smtplib.py [OPTION...] PORT TIMES FROM TO... - sends standard input's octets by smtplib, TIMES times in one
session, and prints a line for each recipient that was refused: its address and code.
  --lmtp                 speaks LMTP, and prints all replies to the content, a line each
  --ca-file FILE         does so after STARTTLS, trusting FILE
  --mail-option KEYWORD[=VALUE], --rcpt-option KEYWORD[=VALUE]   parameters, as often as wanted"""

import argparse
import smtplib
import ssl
import sys

arguments = argparse.ArgumentParser()
arguments.add_argument("--lmtp", action="store_true")
arguments.add_argument("--ca-file")
arguments.add_argument("--mail-option", action="append", default=[])
arguments.add_argument("--rcpt-option", action="append", default=[])
arguments.add_argument("port", type=int)
arguments.add_argument("times", type=int)
arguments.add_argument("reverse_path")
arguments.add_argument("forward_paths", nargs="+")
given = arguments.parse_args()
octets = sys.stdin.buffer.read()
options = given.mail_option + ([] if octets.isascii() else ["BODY=8BITMIME"])


def send_by_lmtp(client):
    """smtplib's own sendmail hears the first of the replies alone."""
    client.ehlo_or_helo_if_needed()
    client.mail(given.reverse_path, options)
    taken = [client.rcpt(path, given.rcpt_option)[0] == 250 for path in given.forward_paths]
    print(*client.data(octets))
    for _ in range(sum(taken) - 1):
        print(*client.getreply())


with (smtplib.LMTP if given.lmtp else smtplib.SMTP)("127.0.0.1", given.port, timeout=10) as client:
    if given.ca_file:
        context = ssl.create_default_context(cafile=given.ca_file)
        client._host = "localhost"  # whom the certificate is for
        client.starttls(context=context)
    for _ in range(given.times):
        if given.lmtp:
            send_by_lmtp(client)
            continue
        refused = client.sendmail(given.reverse_path, given.forward_paths, octets, options, given.rcpt_option)
        for forward_path, (code, _text) in refused.items():
            print(forward_path, code)
