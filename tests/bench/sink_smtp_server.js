// sink_smtp_server.js FOLDER - npm smtp-server as a sink that keeps nothing; FOLDER is where it is installed. Prints its port,
// and ends when its standard input does.
"use strict";
const { SMTPServer } = require(process.argv[2]);

const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["AUTH", "STARTTLS"],
    disableReverseLookup: true,
    onData(stream, session, callback) {
        stream.on("end", callback).resume();
    },
});
server.listen(0, "127.0.0.1", () => console.log(server.server.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
