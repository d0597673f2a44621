#!/usr/bin/python3
"""exec_smtplib.py SUBJECT - sends a message as a program under test does: the server is in its environment."""

import os
import smtplib
import ssl
import sys

with smtplib.SMTP(os.environ["SMTP_HOST"], int(os.environ["SMTP_PORT"]), timeout=10) as client:
    client.starttls(context=ssl.create_default_context(cafile=os.environ["SMTP_CA_FILE"]))
    client.login(os.environ["SMTP_USER"], os.environ["SMTP_PASSWORD"])
    client.sendmail("ann@example.org", ["bob@example.com"], f"Subject: {sys.argv[1]}\r\n\r\nHello\r\n")
