#!/usr/bin/node
// send_nodemailer.js PROGRAM - hands a message to PROGRAM as to sendmail, by nodemailer.
"use strict";
const nodemailer = require("/usr/share/nodejs/nodemailer"); // where Debian's node-nodemailer is

nodemailer
    .createTransport({ sendmail: true, path: process.argv[2] })
    .sendMail({
        from: "Ann Lée <ann@example.org>",
        to: "bob@example.com",
        bcc: "carol@example.com",
        subject: "Grüße from Node",
        text: "Hello\n.\n..\nbye\n",
    })
    .catch((error) => {
        console.error(error.message);
        process.exitCode = 1;
    });
