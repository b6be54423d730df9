"""The till page: for a phone or a tablet behind the counter, with a staff key.

The page itself holds nothing; everything it does is a call of the API with the key of whoever
stands there, so his scopes and the audit log apply. A call that got no answer is sent again as it
was: its order id or Idempotency-Key makes it happen once.
"""

from chalicelib.api.endpoints import HTML, PUBLIC, Answer, Call, Resource
from chalicelib.api.pages import PRIVATE, page

resource = Resource(__name__, "till")

_HEADERS = {
    **PRIVATE,
    "Cache-Control": "public, max-age=300",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}

_PAGE = """
<h1>Till</h1>
<p id="said" role="status"></p>
<form id="sign-in"><label>Staff key
<input id="key" type="password" autocomplete="off" required></label><button>Sign in</button></form>
<section id="work" hidden>
<form id="find"><label>Member's card
<input id="code" autocomplete="off" autocapitalize="none" placeholder="mem_..." required></label>
<button>Open</button><button type="button" id="scan" hidden>Scan</button></form>
<video id="camera" playsinline muted hidden></video>
<section id="member" hidden aria-live="polite">
<h2 id="name"></h2><p id="balances"></p>
<div id="sell"></div>
<form id="amount"><label>Amount <input id="sum" inputmode="decimal" required></label>
<button>Add purchase</button></form>
<div id="rewards"></div>
<button id="undo" disabled>Undo</button><button id="again" hidden>Try again</button>
</section>
<button id="sign-out">Sign out</button>
</section>
<script src="till/app.js"></script>
"""

_SCRIPT = """"use strict";
const at = (id) => document.getElementById(id);
const api = new URL("v1/", new URL("./", location.href));
let program, member, undo, unanswered, busy = false;

async function call(method, path, body, headers = {}) {
  const answer = await fetch(new URL(path, api), {
    method, body: body === undefined ? undefined : JSON.stringify(body),
    headers: { Authorization: `Bearer ${sessionStorage.getItem("key")}`,
      ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
  });
  const content = await answer.json();
  if (!answer.ok) {
    throw Object.assign(new Error(content.detail || content.title), { answered: true });
  }
  return content;
}

const places = () => new Intl.NumberFormat("en", { style: "currency", currency: program.money })
  .resolvedOptions().maximumFractionDigits;

function shown(name, amount) {
  const { label = name, money } = program.currencies[name] || {};
  const text = money
    ? new Intl.NumberFormat(undefined, { style: "currency", currency: program.money })
      .format(amount / 10 ** places())
    : amount.toLocaleString();
  return { label, text };
}

const say = (text) => { at("said").textContent = text; };
const id = () => crypto.getRandomValues(new Uint32Array(4)).join("-");

// One thing at a time: two quick taps are one.
async function safely(work) {
  if (busy) return;
  busy = true;
  try { await work(); } catch (error) {
    say(error.answered ? error.message : "No answer. Nothing is lost: try again.");
  } finally {
    busy = false;
  }
}

async function act(request) {
  say("");
  unanswered = request;
  at("again").hidden = false;
  const done = await call(...request.call).catch((error) => {
    if (error.answered) { unanswered = undefined; at("again").hidden = true; }
    throw error;
  });
  unanswered = undefined;
  at("again").hidden = true;
  undo = request.undo && request.undo(done);
  at("undo").disabled = !undo;
  const moved = (done.effects || []).map((one) => {
    const { label, text } = shown(one.currency, one.amount);
    return `${one.amount > 0 ? "+" : ""}${text} ${label}`;
  });
  await show();
  say(`${request.said}: ${moved.join(", ") || "nothing earned"}`);
}

function sell(name, price, more) {
  const order = { source: "till", id: id(), member_id: member, currency: program.money,
    placed_at: new Date().toISOString(),
    lines: [{ id: "1", name, quantity: 1, unit_price: price, ...more }] };
  return act({ call: ["POST", "orders", order], said: name, undo: () => ({
    call: ["POST", `orders/till/${order.id}/refunds`, { id: "undo", reason: "undone at the till" }],
    said: "Undone" }) });
}

function redeem(reward) {
  const path = `members/${member}/redemptions`;
  return act({ call: ["POST", path, { reward: reward.id }, { "Idempotency-Key": id() }],
    said: reward.name, undo: (done) => ({
      call: ["POST", `${path}/${encodeURIComponent(done.id)}/cancel`], said: "Undone" }) });
}

function button(text, work) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", () => safely(work));
  return made;
}

async function show() {
  const [who, account, rewards] = await Promise.all([call("GET", `members/${member}`),
    call("GET", `members/${member}/account`), call("GET", `members/${member}/rewards`)]);
  at("name").textContent = [who.given_name, who.family_name].filter(Boolean).join(" ") || who.id;
  at("balances").textContent = Object.entries(account.balances).map(([name, held]) => {
    const { label, text } = shown(name, held.available - held.debt);
    const { goal } = program.currencies[name] || {};
    return `${label}: ${text}${goal ? ` / ${goal}` : ""}`;
  }).join(", ");
  at("rewards").replaceChildren(...rewards.rewards.filter((one) => one.available)
    .map((one) => button(`Redeem: ${one.name}`, () => redeem(one))));
  at("member").hidden = false;
}

async function start() {
  program = await call("GET", "programs/current");
  at("sell").replaceChildren(...program.till.map((one) => button(one.label, () => sell(one.label,
    one.unit_price, { categories: one.categories, labels: one.labels }))));
  at("sign-in").hidden = true;
  at("work").hidden = false;
  say("");
}

async function open(code) {
  undo = undefined;
  at("undo").disabled = true;
  at("member").hidden = true; // whoever was there before
  member = (await call("GET", `members/${encodeURIComponent(code.trim())}`)).id;
  await show();
  say("");
}

async function scan() {
  const camera = at("camera");
  const video = { facingMode: "environment" };
  const stream = await navigator.mediaDevices.getUserMedia({ video });
  const detector = new BarcodeDetector({ formats: ["qr_code", "pdf417", "aztec", "code_128"] });
  camera.srcObject = stream;
  camera.hidden = false;
  await camera.play();
  try {
    for (let tries = 0; tries < 300; tries += 1) {
      const [found] = await detector.detect(camera);
      if (found) { at("code").value = found.rawValue; await open(found.rawValue); return; }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    say("No card was seen.");
  } finally {
    stream.getTracks().forEach((track) => track.stop());
    camera.hidden = true;
  }
}

const on = (name, event, work) => at(name).addEventListener(event, (what) => {
  what.preventDefault();
  safely(work);
});
on("sign-in", "submit", async () => {
  sessionStorage.setItem("key", at("key").value.trim());
  at("key").value = "";
  await start();
});
on("sign-out", "click", () => { sessionStorage.removeItem("key"); location.reload(); });
on("find", "submit", () => open(at("code").value));
on("scan", "click", scan);
on("amount", "submit", async () => {
  const typed = at("sum").value.trim().replace(",", ".");
  if (!/^\\d{1,9}(\\.\\d+)?$/.test(typed) || (typed.split(".")[1] || "").length > places()) {
    say("That is no amount.");
    return;
  }
  const [whole, part = ""] = typed.split(".");
  await sell("Purchase", Number(whole + part.padEnd(places(), "0")), {});
  at("sum").value = "";
});
on("undo", "click", () => undo && act(undo));
on("again", "click", () => unanswered && act(unanswered));
at("scan").hidden = !("BarcodeDetector" in window);
if (sessionStorage.getItem("key")) safely(start);
"""


@resource.endpoint("GET", "/till", callers=PUBLIC, answer_type=HTML)
def show_till(call: Call) -> Answer:  # noqa: ARG001
    """Show the till page. Whoever uses it needs a staff key."""
    return Answer(page("en", "Till", _PAGE), headers=_HEADERS)


@resource.endpoint("GET", "/till/app.js", callers=PUBLIC, answer_type="text/javascript")
def till_script(call: Call) -> Answer:  # noqa: ARG001
    """Fetch what the till page does."""
    return Answer(_SCRIPT, headers={"X-Content-Type-Options": "nosniff"})
