#!/usr/bin/python3
"""activate.py NAME... -- COMMAND... - listens for the command on a socket a NAME, as systemd does (sd_listen_fds(3)), sends
mail with smtplib to the first of them before the command is there to accept it, and then becomes the command.
NAME: what systemd calls FileDescriptorName. Prints "port N" for each."""

import os
import smtplib
import socket
import sys

FIRST = 3
end = sys.argv.index("--")
names, command = sys.argv[1:end], sys.argv[end + 1 :]
sockets = []
for name in names:
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"port {listener.getsockname()[1]}", flush=True)  # in one write, also where Python is unbuffered
    sockets.append(listener)

if os.fork() == 0:
    port = sockets[0].getsockname()[1]
    for listener in sockets:
        listener.close()
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        client.sendmail("ann@example.org", ["bob@example.com"], b"Subject: early\r\n\r\nbefore it was there\r\n")
    os._exit(0)

high = [os.dup(listener.fileno()) for listener in sockets]  # out of the way
for number, descriptor in enumerate(high):
    os.dup2(descriptor, FIRST + number)  # inheritable
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(names)), "LISTEN_FDNAMES": ":".join(names)}
os.execv(command[0], command)
