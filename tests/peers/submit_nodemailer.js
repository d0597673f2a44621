#!/usr/bin/node
// submit_nodemailer.js PORT WAY VERSION CA_FILE CERTIFICATE MECHANISM USER SECRET FROM TO... - as
// submit_smtplib.py, by nodemailer. VERSION is like TLSv1.2.
"use strict";
const fs = require("fs");
const nodemailer = require("/usr/share/nodejs/nodemailer"); // where Debian's node-nodemailer is

const [port, way, version, caFile, certificate, mechanism, user, secret, from, ...to] = process.argv.slice(2);
const options = {
    host: "127.0.0.1",
    port: Number(port),
    name: "peer.test",
    secure: way === "implicit",
    requireTLS: way === "starttls",
    ignoreTLS: way === "none",
    connectionTimeout: 10000,
    tls: { ca: fs.readFileSync(caFile), ...(version && { maxVersion: version }) },
};
if (certificate) {
    options.tls.cert = options.tls.key = fs.readFileSync(certificate);
}
if (mechanism === "XOAUTH2") {
    options.auth = { type: "OAuth2", user, accessToken: secret };
} else if (mechanism) {
    options.auth = { user, pass: secret };
    options.authMethod = mechanism;
}
nodemailer
    .createTransport(options)
    .sendMail({ envelope: { from, to }, raw: fs.readFileSync(0) })
    .catch((error) => {
        console.error(error.message);
        process.exitCode = 1;
    });
