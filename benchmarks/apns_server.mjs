// Answers like Apple's push service, fast enough to measure clients with: HTTP/2 over TLS, and a
// client certificate is a must.
//
//   node benchmarks/apns_server.mjs --folder F [--port 0] [--streams 500] [--delay-ms 0] [--error]
//
// F holds server.pem (certificate and key) and authorities.pem (who signs clients). The first line
// of the output is {"port"}, the last, once stdin ends or at SIGTERM, is what the server saw.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { constants, createSecureServer } from "node:http2";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values: given } = parseArgs({
  options: {
    folder: { type: "string" },
    port: { type: "string", default: "0" },
    streams: { type: "string", default: "500" },
    "delay-ms": { type: "string", default: "0" },
    error: { type: "boolean", default: false },
  },
});
const delay = Number(given["delay-ms"]);
const status = given.error ? 400 : 200;
const body = given.error ? JSON.stringify({ reason: "BadTopic" }) : "";
const tokens = new Set();
const seen = { connections: 0, pushes: 0, open: 0, most_streams: 0 };

/** Counts a push once it is whole. */
function note(path) {
  seen.pushes += 1;
  tokens.add(path);
}

/** Answers as Apple does: the id that was given, or a new one, and a text only with an error. */
function answer(stream, id) {
  seen.open -= 1;
  if (stream.destroyed) return;
  const headers = { ":status": status, "apns-id": id ?? randomUUID() };
  stream.respond(headers, { endStream: !body });
  if (body) stream.end(body);
}

/** Says what was seen, and ends. */
function finish() {
  const { connections, pushes, most_streams } = seen;
  const stats = { connections, pushes, doubled: pushes - tokens.size, most_streams };
  process.stdout.write(`${JSON.stringify(stats)}\n`, () => process.exit(0));
}

const pem = readFileSync(join(given.folder, "server.pem"));
const server = createSecureServer({
  cert: pem,
  key: pem,
  ca: readFileSync(join(given.folder, "authorities.pem")),
  requestCert: true,
  rejectUnauthorized: true,
  settings: { maxConcurrentStreams: Number(given.streams) },
});
server.on("session", () => {
  seen.connections += 1;
});
server.on("stream", (stream, headers) => {
  seen.open += 1;
  seen.most_streams = Math.max(seen.most_streams, seen.open);
  stream.on("error", () => {}); // a client that leaves is no trouble of ours
  stream.on("end", () => {
    note(headers[constants.HTTP2_HEADER_PATH]);
    if (delay) setTimeout(answer, delay, stream, headers["apns-id"]);
    else answer(stream, headers["apns-id"]);
  });
  stream.resume();
});
server.listen(Number(given.port), "127.0.0.1", () => {
  process.stdout.write(`${JSON.stringify({ port: server.address().port })}\n`);
});
process.stdin.on("end", finish).resume(); // whoever started us may be gone without a word
process.on("SIGTERM", finish);
