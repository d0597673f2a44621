#!/usr/bin/env python3
"""crooked_client.py [FLAW...] - a small client that does its task (harness/conformance/task.h) plainly, but for the
flaws it is given: each breaks one rule. Exit status 0: sent, 75: not now, 1: refused.

It is started five hundred times a run of the tests: what takes long to import is imported only where a flaw needs it, and
the socket is the bare one below Python's module."""

import _socket
import binascii
import os
import sys

FLAWS = set(sys.argv[1:])
ENV = os.environ


class Ended(Exception):
    """The session is over; the exit status."""


def flaw(name):
    return name in FLAWS


def value(name, otherwise=None):
    """What stands behind NAME= among the flaws."""
    return next((f.removeprefix(f"{name}=") for f in FLAWS if f.startswith(f"{name}=")), otherwise)


def wait_s():
    return float(value("patience")) if value("patience") else None


def connect(host, port):
    found = _socket.getaddrinfo(host.encode(), port, 0, _socket.SOCK_STREAM)  # as text it would import much, for IDNA
    family, kind, protocol, _, address = found[0]
    made = _socket.socket(family, kind, protocol)
    made.connect(address)
    return made


class Session:
    def __init__(self):
        self.socket = connect(ENV["SMTP_HOST"], ENV["SMTP_PORT"])
        self.socket.settimeout(wait_s())
        self.heard = b""
        self.keywords = {}
        self.in_tls = False
        if ENV["SMTP_URL"].startswith("smtps:"):
            self.begin_tls()

    def begin_tls(self):
        import socket
        import ssl

        context = ssl.create_default_context(cafile=ENV.get("SMTP_CA_FILE"))
        context.check_hostname = not flaw("trusts-any-name") and not flaw("trusts-anything")
        if flaw("trusts-anything"):
            context.verify_mode = ssl.CERT_NONE
        if flaw("trusts-expired"):
            context.verify_flags |= 0x200000  # X509_V_FLAG_NO_CHECK_TIME
        if not flaw("keeps-what-was-heard"):
            self.heard = b""
        plain = socket.socket(fileno=self.socket.detach())
        self.socket = context.wrap_socket(plain, server_hostname=ENV["SMTP_HOST"])
        self.in_tls = True

    def say(self, octets):
        self.socket.sendall(octets if isinstance(octets, bytes) else octets.encode("utf-8", "surrogateescape"))

    def line(self):
        while b"\n" not in self.heard:
            octets = self.socket.recv(65536)
            if not octets:
                raise Ended(1 if flaw("loss-is-permanent") else 75)
            self.heard += octets
        line, self.heard = self.heard.split(b"\n", 1)
        return line.rstrip(b"\r").decode("utf-8", "surrogateescape")

    def hear(self, command=""):
        """(code, texts) of the reply to that command."""
        texts = []
        self.socket.settimeout(0.05 if value("hasty") == command else wait_s())
        while True:
            line = self.line()
            if not line[:3].isdigit() and not flaw("ignores-codes"):
                raise Ended(75)
            if value("needs-text") == command and len(line) == 3:
                raise Ended(75)
            texts.append(line[4:])
            if line[3:4] != "-" or value("one-line") == command:
                break
        code = int(line[:3]) if line[:3].isdigit() else 250
        if code == 421:
            raise Ended(1 if flaw("loss-is-permanent") else 75)
        if flaw("ignores-codes") and code // 100 not in (2, 3, 4, 5):
            code = 250
        return code, texts

    def ask(self, line):
        self.say(line + "\r\n")
        return self.hear(line[:4])

    def has(self, keyword):
        return keyword in self.keywords


def good(code, *exact):
    return code in exact if flaw("exact-codes") else code // 100 == exact[0] // 100


def failed(code, texts=()):
    """The exit status of a refusal."""
    if flaw("nothing-is-temporary"):
        return 1
    if flaw("enhanced-decides"):
        import re

        known = re.match(r"[45]\.\d\.\d\b", texts[0]) if texts else None
        return 75 if known and code // 100 == 4 else 1
    return 75 if code // 100 == 4 else 1


def quit_session(session):
    if flaw("hangs-up-behind-quit"):
        session.say("QUIT\r\n")
        session.socket.close()
    elif not flaw("no-quit"):
        try:
            session.ask("QUIT")
        except (Ended, OSError):
            pass  # what came of the mail is known already


# ---- opening ----


def has_line_end(text):
    return "\r" in text or "\n" in text


def hello(session):
    name = value("name") or ENV.get("SMTP_HELO") or "crooked.example"
    name = "[192.0.2.1\0]" if flaw("nul-in-name") else name
    if has_line_end(name) and not flaw("raw-addresses"):
        raise Ended(1)
    verb = "LHLO" if ENV["SMTP_URL"].startswith("lmtp:") and not flaw("ehlo-in-lmtp") else "EHLO"
    verb = "HELO" if flaw("helo-only") else verb
    code, texts = session.ask(f"{verb} {name}")
    old = {k: v for k, v in session.keywords.items() if flaw("keeps-capabilities") or value("keeps") == k}
    session.keywords = {}
    if not good(code, 250):
        if code in (500, 502) and not flaw("no-helo"):
            code, texts = session.ask(f"HELO {name}")
        elif flaw("no-helo"):
            raise Ended(1)
        if not good(code, 250) and not flaw("ignores-hello"):
            code, _ = session.ask(f"HELO {name}") if code not in (500, 502) else (code, texts)
            if not good(code, 250):
                quit_session(session)
                raise Ended(failed(code))
        return
    for text in texts[1:]:
        word, _, parameters = text.partition(" ")
        session.keywords[word if flaw("case-sensitive") else word.upper()] = parameters
    session.keywords = {**old, **session.keywords}


def start_tls(session):
    if session.in_tls or ENV.get("SMTP_TLS") != "required" or flaw("no-tls"):
        return
    code = session.ask("STARTTLS")[0] if session.has("STARTTLS") else 0
    if code != 220:
        if flaw("falls-back"):
            return
        quit_session(session)
        raise Ended(failed(code or 500))
    if flaw("talks-after-220"):
        session.say("NOOP\r\n")
    try:
        session.begin_tls()
    except OSError:
        if not flaw("falls-back"):
            raise Ended(1) from None
        again = Session()
        session.socket, session.heard, session.in_tls = again.socket, b"", False
        session.hear()
    if not flaw("no-ehlo-in-tls"):
        hello(session)


# ---- a login ----


def base64_of(text, mechanism=""):
    octets = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    encoded = binascii.b2a_base64(octets, newline=False).decode()
    width = 76 if value("wraps", "-") == mechanism else len(encoded) + 1
    whole = len(encoded) // width * width
    return "".join(encoded[i : i + width] + "\r\n" for i in range(0, whole, width)) + encoded[whole:]


def respond(session, code, texts, response):
    """A response to 334 where one is asked for."""
    return session.ask(response) if code == 334 else (code, texts)


def decoded(text):
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return None


def log_in_cram(session, user, password):
    import hmac

    code, texts = session.ask("AUTH CRAM-MD5")
    if code != 334:
        return code, texts
    challenge = decoded(texts[0])
    if challenge is None and not flaw("answers-anything"):
        return session.ask("*")
    digest = hmac.new(password.encode(), challenge or b"", "md5").hexdigest()
    return session.ask(base64_of(f"{user} {digest.upper() if flaw('upper-case') else digest}"))


def log_in_scram(session, user, _password):
    first = base64_of(f"n,,n={user},r=crooked")
    code, texts = session.ask(f"AUTH SCRAM-SHA-256 {first}")
    nonce = (decoded(texts[0]) or b"").decode().split(",")[0][2:]
    if not nonce.startswith("crooked") and not flaw("trusts-scram"):
        return session.ask("*")
    code, texts = respond(session, code, texts, base64_of(f"c=biws,r={nonce},p=cHJvb2Y="))
    if flaw("trusts-scram"):
        return respond(session, code, texts, "")
    if code == 334:
        session.ask("*")
    return 535, ["no signature"]


def log_in_oauth(session, user, token):
    if flaw("hangs-up-at-334"):
        session.ask("AUTH OAUTHBEARER")
        raise Ended(1)
    end = "\x01" if flaw("bearer-ends-early") else "\x01\x01"
    message = base64_of(f"{value('gs2', 'n,')}a={user},\x01auth={value('scheme', 'Bearer')} {token}{end}")
    if len(message) > 480 and not flaw("long-auth-line"):
        code, texts = session.ask("AUTH OAUTHBEARER")
        code, texts = respond(session, code, texts, message)
    else:
        code, texts = session.ask(f"AUTH OAUTHBEARER {message}")
    return respond(session, code, texts, "" if flaw("no-dummy") else "AQ==")


def log_in_plain(session, user, password):
    form = f"{user}\0{password}\0" if flaw("wrong-plain") else f"\0{user}\0{password}"
    return session.ask(f"AUTH PLAIN {base64_of(form, 'PLAIN')}")


def log_in_login(session, user, password):
    code, texts = session.ask("AUTH LOGIN")
    name_first = not flaw("reads-prompts") or (decoded(texts[0]) or b"").lower().startswith(b"user")
    code, texts = respond(session, code, texts, base64_of(user if name_first else password, "LOGIN"))
    return respond(session, code, texts, base64_of(password if name_first else user, "LOGIN"))


def log_in_external(session, _user, _password):
    return session.ask("AUTH EXTERNAL " if flaw("bare-space") else "AUTH EXTERNAL =")


MECHANISMS = {
    "SCRAM-SHA-256": log_in_scram,
    "CRAM-MD5": log_in_cram,
    "PLAIN": log_in_plain,
    "LOGIN": log_in_login,
    "OAUTHBEARER": log_in_oauth,
    "EXTERNAL": log_in_external,
}


def log_in(session):
    if "SMTP_USER" not in ENV or flaw("no-login"):
        return
    offered = session.keywords.get("AUTH", "").split()
    order = reversed(list(MECHANISMS)) if flaw("login-first") else MECHANISMS
    wanted = [ENV["SMTP_MECHANISM"]] if ENV.get("SMTP_MECHANISM") else order
    name = next((m for m in wanted if m in offered and m in MECHANISMS), None)
    if name is None:
        quit_session(session)
        raise Ended(1)
    code, texts = MECHANISMS[name](session, ENV["SMTP_USER"], ENV["SMTP_PASSWORD"])
    if not good(code, 235):
        quit_session(session)
        raise Ended(failed(code, texts))


# ---- a transaction ----


def path(address):
    if flaw("lowers"):
        address = address.lower()
    is_recipient = address != ENV["SMTP_FROM"]
    if flaw("raw-addresses") or (flaw("raw-recipients") and is_recipient) or (flaw("raw-tabs") and "\t" in address):
        return address
    if any(c < " " or c in "\x7f<>" for c in address):
        raise Ended(1)
    local, _, domain = address.rpartition("@")
    if '"' in local and flaw("refuses-quotes"):
        raise Ended(1)
    if " " in address and not local.startswith('"'):
        raise Ended(1)
    if flaw("unquotes"):
        local = local.strip('"')
    if flaw("quotes-more") and address:
        local = local if '"' in local else f'"{local}"'
    if flaw("escapes-more") and '"' in local:
        local = "".join(f"\\{c}" if "a" <= c <= "z" else c for c in local)
    return f"{local}@{domain}" if address else ""


def xtext(text):
    is_raw = flaw("raw-addresses") or flaw("raw-envid") or (flaw("raw-cr-in-envid") and "\n" not in text)
    if has_line_end(text) and not is_raw:
        raise Ended(1)
    plain = flaw("raw-xtext") or is_raw
    return text if plain else "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in text)


def is_ascii(text):
    return all(ord(c) < 128 for c in text)


def in_seven_bits(content):
    if flaw("strips-bits"):
        return bytes(octet & 127 for octet in content)
    encoding = value("encodes")
    if encoding is None:
        raise Ended(1)
    header, body = content.split(b"\r\n\r\n", 1)
    is_base64 = encoding != "quoted-printable"
    import base64
    import re

    body = base64.encodebytes(body).replace(b"\n", b"\r\n") if is_base64 else binascii.b2a_qp(body, istext=True)
    return re.sub(b"(?i)encoding: 8bit", b"Encoding: " + encoding.encode(), header) + b"\r\n\r\n" + body


def in_lines(content):
    """Each line end is CRLF, and no line is too long, but for the flaws."""
    if not any(map(flaw, ["raw-cr", "raw-lf", "raw-inner-cr", "cuts-lines", "folds-lines"])):
        return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    import re

    line_end = rb"\r\n|\n" if flaw("raw-cr") else rb"\r\n|\r" if flaw("raw-lf") else rb"\r\n|\r|\n"
    line_end = rb"\r\n|\n|\r\Z" if flaw("raw-inner-cr") else line_end
    content = re.sub(line_end, b"\r\n", content)
    content = re.sub(rb"([^\r\n]{998})[^\r\n]+", rb"\1", content) if flaw("cuts-lines") else content
    return re.sub(rb"([^\r\n]{900})(?=[^\r\n])", rb"\1\r\n ", content) if flaw("folds-lines") else content


def prepare(session, content, addresses):
    """The content as it may be sent, and the parameters of MAIL."""
    if flaw("no-mail"):
        quit_session(session)
        raise Ended(1)
    parameters = []
    if not flaw("raw-content"):
        content = in_lines(content)
        is_binary = b"\ncontent-transfer-encoding: binary" in b"\n" + content.lower()
        if (is_binary and not flaw("keeps-binary")) or max(map(len, content.split(b"\r\n"))) > 998:
            raise Ended(1)
    if any(octet > 127 for octet in content):
        if not session.has("8BITMIME") and not flaw("raw-content"):
            content = in_seven_bits(content)
        if session.has("8BITMIME") and not flaw("no-body"):
            parameters.append("BODY=8BITMIME")
    if not all(is_ascii(a.rpartition("@")[0] if flaw("raw-domains") else a) for a in addresses):
        if session.has("SMTPUTF8") and not flaw("no-smtputf8"):
            parameters.append("SMTPUTF8")
        elif not flaw("raw-utf8") and not flaw("no-smtputf8"):
            raise Ended(1)
    if session.has("SIZE") or flaw("always-size"):
        nul = "\0 " if flaw("nul-before-size") else ""
        size = 1 if flaw("size-one") else len(content) + flaw("size-more")
        parameters.append(f"{nul}SIZE={size}")
    if session.has("DSN") or flaw("always-dsn"):
        parameters += [f"ENVID={xtext(ENV['SMTP_ENVID'])}"] if "SMTP_ENVID" in ENV else []
        ret = value("ret", ENV.get("SMTP_RET"))
        parameters += [f"RET={ret}"] * (2 if flaw("ret-twice") else 1) if ret is not None else []
    if "SMTP_REQUIRETLS" in ENV:
        if not (session.in_tls and session.has("REQUIRETLS")) and not flaw("requiretls-anyway"):
            quit_session(session)
            raise Ended(1)
        if not flaw("no-requiretls"):
            parameters.append("REQUIRETLS=1" if flaw("requiretls-value") else "REQUIRETLS")
    return content, parameters


def stuffed(content):
    content += b"A line.\r\n" * (flaw("floods") << 21)  # 18 MiB
    if not flaw("no-stuffing"):
        content = (b"\n" + content).replace(b"\n.", b"\n..")[1:] if not flaw("raw-content") else content
    if flaw("forgets-last-dot") and content.endswith(b"\r\n.."):
        content = content[:-1]
    if not content.endswith(b"\r\n"):
        content += b"\r\n"
    return content + (b"\r\n" if flaw("extra-crlf") else b"") + b".\r\n"


def send_chunks(session, content):
    size = 1 << 18
    code = 250
    for at in range(0, len(content), size):
        chunk = content[at : at + size]
        session.say(f"BDAT {len(chunk)}{' LAST' if at + size >= len(content) else ''}\r\n".encode() + chunk)
        code, texts = session.hear()
        if not good(code, 250) and not flaw("goes-on-with-bdat"):
            session.ask("RSET")
            return code, texts
    return code, texts


def rcpt_line(session, recipient):
    space = " " if flaw("space-after-colon") else ""
    dsn = session.has("DSN") or flaw("always-dsn")
    asked = value("notify", ENV.get("SMTP_NOTIFY")) + value("also", "") if dsn and "SMTP_NOTIFY" in ENV else None
    notify = f" NOTIFY={asked}" * (2 if flaw("notify-twice") else 1) if asked is not None else ""
    orcpt = f" ORCPT={value('orcpt')}" if dsn and value("orcpt") else ""
    return f"RCPT TO:{space}<{path(recipient)}>{notify}{orcpt}"


def ask_recipients(session, recipients):
    """(accepted, worst status)"""
    accepted, worst = [], 0
    for recipient in recipients:
        code, texts = session.ask(rcpt_line(session, recipient))
        if flaw("insists") and code // 100 == 5:
            code, texts = session.ask(rcpt_line(session, recipient))
        refused = not good(code, 250, 251) or (flaw("reads-text") and "unknown" in " ".join(texts).lower())
        if refused:
            status = 75 if code == 552 and not flaw("552-is-permanent") else failed(code, texts)
            worst = max(worst, 76 - status) if not flaw("one-status") else 0
            if flaw("stops-at-refusal"):
                break
        else:
            accepted.append(recipient)
    return accepted, {0: 0, 1: 75, 75: 1}[worst]


def content_reply(session, accepted, all_recipients):
    """The status of what the server says of the content."""
    lmtp = ENV["SMTP_URL"].startswith("lmtp:")
    expected = all_recipients if flaw("counts-all") else accepted
    status = 0
    for _ in expected if lmtp else [0]:
        try:
            code, texts = session.hear("dot")
        except Ended:
            if flaw("partial-is-sent"):
                return 0
            raise
        if not good(code, 250):
            status = max(status, failed(code, texts), key=lambda s: {0: 0, 75: 1, 1: 2}[s])
    return status


def transaction(session, content, recipients):
    if flaw("content-alone"):
        session.say(content)
        return 0
    content, parameters = prepare(session, content, [ENV["SMTP_FROM"], *recipients])
    space = " " if flaw("space-after-colon") else ""
    between = "" if flaw("no-space") else "  " if flaw("two-spaces") else " "
    parameters += [value("extra")] if value("extra") else []
    mail = f"MAIL FROM:{space}<{path(ENV['SMTP_FROM'])}>" + "".join(between + p for p in parameters)
    mail += " " if flaw("ends-in-space") else ""
    if flaw("groups") or (flaw("pipelines") and session.has("PIPELINING")):
        session.say(mail + "\r\n" + "".join(rcpt_line(session, r) + "\r\n" for r in recipients))
        replies = [session.hear() for _ in [mail, *recipients]]
        accepted, status = recipients, 0 if all(good(c, 250, 251) for c, _ in replies) else 1
    else:
        code, texts = session.ask(mail)
        if not good(code, 250) and not flaw("goes-on"):
            return failed(code, texts)
        accepted, status = ask_recipients(session, recipients)
    if flaw("all-or-nothing") and status != 0:
        return status
    if not accepted and not flaw("goes-on") and not flaw("content-anyway"):
        if not flaw("no-rset"):
            session.ask("RSET")
        return status or 1
    if (session.has("CHUNKING") and not flaw("no-bdat")) or flaw("always-bdat"):
        code, texts = send_chunks(session, stuffed(content)[:-3] if flaw("stuffs-bdat") else content)
        return status or (0 if good(code, 250) and not flaw("bdat-is-refused") else failed(code, texts))
    if flaw("content-with-data"):
        session.say(b"DATA\r\n" + stuffed(content))
        session.hear()
    else:
        code, texts = session.ask("DATA now" if flaw("data-argument") else "DATA")
        if code // 100 != 3 and not flaw("content-anyway"):
            return failed(code, texts) if code // 100 != 2 else 1
        session.say(b".\r\n" if flaw("lone-dot") and not accepted else stuffed(content))
    came = content_reply(session, accepted, recipients)
    return status or came


# ---- all of it ----


def limits(session):
    words = dict(w.split("=", 1) for w in session.keywords.get("LIMITS", "").split() if "=" in w)
    known = {k: int(v) for k, v in words.items() if v.isdigit() and (int(v) > 0 or flaw("takes-any-limit"))}
    return {} if flaw("no-limits") else known


def groups_of(recipients, most):
    return [recipients[i : i + most] for i in range(0, len(recipients), most)]


def open_session(count=1):
    session = Session()
    session.count = count
    if flaw("talks-first"):
        session.say("EHLO early.example\r\n")
    code, texts = session.hear("connect")
    if not good(code, 220) and not flaw("goes-on"):
        quit_session(session)
        if flaw("tries-again") and session.count < 4:
            return open_session(session.count + 1)
        raise Ended(failed(code, texts))
    if flaw("talks-first"):
        session.hear()
    hello(session)
    start_tls(session)
    log_in(session)
    return session


def main():
    recipients = ENV["SMTP_TO"].split("\n")
    if flaw("drops-accents"):
        halves = [r.rpartition("@") for r in recipients]
        recipients = [f"{local}@{domain.encode('ascii', 'ignore').decode()}" for local, _, domain in halves]
    files = ENV.get("SMTP_MESSAGES", ENV["SMTP_MESSAGE"]).split("\n")
    session = open_session()
    status, mails = 0, 0
    for name in files:
        with open(name, "rb") as file:
            content = file.read()
        most = limits(session).get("RCPTMAX", 1000)
        times = 2 if flaw("sends-twice") else 1
        groups = groups_of(recipients, 1 if flaw("a-copy-each") else max(most, 1)) * times
        for group in groups[:1] if flaw("first-group-alone") else groups:
            if mails == (1 if flaw("a-session-each") else limits(session).get("MAILMAX", 1000)):
                quit_session(session)
                session, mails = open_session(), 0
            came = transaction(session, content, group)
            mails += 1
            status = max(status, came, key=lambda s: {0: 0, 75: 1, 1: 2}[s])
    quit_session(session)
    return status


try:
    status = main()
    sys.exit(0 if flaw("claims-success") else status)
except Ended as ended:
    sys.exit(0 if flaw("claims-success") else ended.args[0])
except TimeoutError:
    sys.exit(75)
except OSError:
    sys.exit(1 if flaw("loss-is-permanent") else 75)
