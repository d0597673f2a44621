#!/usr/bin/python3
"""submit_smtplib.py PORT WAY VERSION CA_FILE CERTIFICATE MECHANISM USER SECRET FROM TO... - sends standard
input's octets by smtplib: WAY is starttls, implicit (TLS) or none, VERSION the newest to speak, like TLSv1_2, or
"", CERTIFICATE the client's own with its key, or "", MECHANISM how to log in, "" for not at all. The server's
certificate is verified, chain and name."""

import smtplib
import ssl
import sys

port, way, version, ca_file, certificate, mechanism, user, secret, *paths = sys.argv[1:]
reverse_path, *forward_paths = paths
octets = sys.stdin.buffer.read()
context = ssl.create_default_context(cafile=ca_file)
if version:
    context.maximum_version = ssl.TLSVersion[version]
if certificate:
    context.load_cert_chain(certificate)
if way == "implicit":
    client = smtplib.SMTP_SSL("127.0.0.1", int(port), timeout=10, context=context)
else:
    client = smtplib.SMTP("127.0.0.1", int(port), timeout=10)
    if way == "starttls":
        client.starttls(context=context)
with client:
    if mechanism:
        client.ehlo()
        offered = client.esmtp_features["auth"].split()
        assert offered == [mechanism], f"{mechanism} alone was to be offered: {offered}"
        client.login(user, secret)
    client.sendmail(reverse_path, forward_paths, octets, [] if octets.isascii() else ["BODY=8BITMIME"])
