// Sends one message about an order, signed as Standard Webhooks says. Node 18, no packages.
//
//   export URL=https://loyalty.example.com/v1/webhooks/orders/webshop
//   export SECRET=whsec_...
//   node send_order.mjs < message.json
//
// Prints the answer; the exit status is 0 where the message was taken.
import { createHmac, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const WAITS = [500, 1000, 2000, 4000, 8000]; // milliseconds, after each try but the last
const ANSWERS_WITHIN = 30_000; // milliseconds
const NOT_NOW = [409, 429]; // beside 5xx: the same message is good later

// One try: the status and the answer, or no status where there was no answer.
// Each try is signed anew, because a signature is good for five minutes.
async function send(url, secret, messageId, body) {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const timestamp = String(Math.floor(Date.now() / 1000));
  const signed = createHmac("sha256", key).update(`${messageId}.${timestamp}.`).update(body);
  const headers = {
    "content-type": "application/json",
    "webhook-id": messageId,
    "webhook-timestamp": timestamp,
    "webhook-signature": `v1,${signed.digest("base64")}`,
  };
  try {
    const signal = AbortSignal.timeout(ANSWERS_WITHIN);
    const answer = await fetch(url, { method: "POST", headers, body, signal, redirect: "manual" });
    return [answer.status, await answer.text()];
  } catch (error) {
    return [undefined, String(error.cause ?? error)];
  }
}

// Sends what is on standard input, again and again under the same id until it is answered.
const messageId = `msg_${randomUUID().replaceAll("-", "")}`;
const body = readFileSync(0);
let status, answer;
for (const wait of [...WAITS, undefined]) {
  [status, answer] = await send(process.env.URL, process.env.SECRET, messageId, body);
  const passes = status === undefined || status >= 500 || NOT_NOW.includes(status);
  if (!passes || wait === undefined) break;
  await sleep(wait);
}
console.log(status ?? "no answer", answer);
process.exitCode = status >= 200 && status < 300 ? 0 : 1;
