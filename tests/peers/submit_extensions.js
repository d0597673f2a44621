#!/usr/bin/node
// submit_extensions.js PORT FROM TO [ENVID] - sends standard input's octets by nodemailer; with an ENVID it asks for
// notifications: RET=HDRS, the ENVID, NOTIFY=SUCCESS,DELAY and ORCPT=rfc822;TO.
"use strict";
const fs = require("fs");
const nodemailer = require("/usr/share/nodejs/nodemailer"); // where Debian's node-nodemailer is

const [port, from, to, id] = process.argv.slice(2);
const dsn = id && { id, return: "headers", notify: ["success", "delay"], recipient: to };
nodemailer
    .createTransport({ host: "127.0.0.1", port: Number(port), name: "peer.test", ignoreTLS: true })
    .sendMail({ envelope: { from, to: [to] }, raw: fs.readFileSync(0), dsn })
    .catch((error) => {
        console.error(error.message);
        process.exitCode = 1;
    });
