#!/usr/bin/node
// exec_nodemailer.js SUBJECT - as exec_smtplib.py, by nodemailer.
"use strict";
const fs = require("fs");
const nodemailer = require("/usr/share/nodejs/nodemailer"); // where Debian's node-nodemailer is

const { SMTP_HOST, SMTP_PORT, SMTP_USER, SMTP_PASSWORD, SMTP_CA_FILE } = process.env;
nodemailer
    .createTransport({
        host: SMTP_HOST,
        port: Number(SMTP_PORT),
        name: "peer.test",
        requireTLS: true,
        tls: { ca: fs.readFileSync(SMTP_CA_FILE) },
        auth: { user: SMTP_USER, pass: SMTP_PASSWORD },
    })
    .sendMail({ from: "ann@example.org", to: "bob@example.com", subject: process.argv[2], text: "Hello" })
    .catch((error) => {
        console.error(error.message);
        process.exitCode = 1;
    });
