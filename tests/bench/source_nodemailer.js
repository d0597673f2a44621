// source_nodemailer.js PORT COUNT OCTETS - nodemailer's pool of one session, one message after the other. Prints "rate
// MESSAGES_A_SECOND".
"use strict";
const nodemailer = require("/usr/share/nodejs/nodemailer"); // where Debian's node-nodemailer is

const [port, count, octets] = process.argv.slice(2).map(Number);
const header = "From: ann@example.com\r\nTo: bob@example.com\r\nSubject: session\r\n\r\n";
const raw = header + ("x".repeat(70) + "\r\n").repeat(Math.floor((octets - header.length) / 72));
const envelope = { from: "ann@example.com", to: ["bob@example.com"] };

async function main() {
    const pool = { pool: true, maxConnections: 1, maxMessages: Infinity, ignoreTLS: true };
    const transport = nodemailer.createTransport({ host: "127.0.0.1", port, name: "bench.test", ...pool });
    await transport.sendMail({ envelope, raw }); // opens the session
    const begin = process.hrtime.bigint();
    for (let i = 0; i < count; i++) {
        await transport.sendMail({ envelope, raw });
    }
    console.log(`rate ${(count * 1e9) / Number(process.hrtime.bigint() - begin)}`);
    transport.close();
}

main().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
});
