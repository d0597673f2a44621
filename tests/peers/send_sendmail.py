#!/usr/bin/python3
"""send_sendmail.py PROGRAM TO - hands a message to PROGRAM as to sendmail, as programs written in Python do, with
its recipients in the header. Ends as it did."""

import subprocess
import sys
from email.message import EmailMessage

message = EmailMessage()
message["From"] = "Ann Lée <ann@example.org>"
message["To"] = sys.argv[2]
message["Bcc"] = "carol@example.com"
message["Subject"] = "Grüße from Python"
message.set_content("Hello\n.\n..\nbye\n")
sys.exit(subprocess.run([sys.argv[1], "-t", "-oi"], input=message.as_bytes(), check=False).returncode)
