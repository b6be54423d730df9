import { make } from "/web/wallets.js";

const TITLES = { shopify: "The Shopify shop", woocommerce: "The WooCommerce shop" };
const LOOKS_EVERY_MS = 1500; // what the worker of a queue did comes by itself
const at = (id) => document.getElementById(id);
const shops = new Map();
let member;

async function call(path, body) {
  const answer = await fetch(`/store${path}`, body === undefined ? undefined : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.title);
  return content;
}

async function safely(work) {
  at("trouble").textContent = "";
  try { await work(); } catch (error) { at("trouble").textContent = error.message; }
}

function log(kind, rows) {
  for (const { topic, status, outcome } of rows) {
    const line = `${kind}: ${topic} → ${status ?? ""} ${outcome}`;
    at("log").prepend(make("li", status === null ? "push" : "", line));
  }
}

/** One action of a shop, once: its buttons wait for the answer. */
const act = (kind, action, body = {}) => safely(async () => {
  const buttons = shops.get(kind).querySelectorAll("button");
  for (const one of buttons) one.disabled = true;
  try {
    log(kind, await call(`/${kind}/${action}`, { member, ...body }));
  } finally {
    for (const one of buttons) one.disabled = false;
    await show();
  }
});

function panel(kind) {
  const made = at("shop").content.firstElementChild.cloneNode(true);
  made.id = kind;
  const find = (selector) => made.querySelector(selector);
  find("h2").textContent = TITLES[kind];
  find("[data-does=ask]").hidden = kind !== "shopify"; // WooCommerce has no message for that
  for (const one of made.querySelectorAll("[data-does]")) {
    one.addEventListener("click", () => {
      const code = find(".use").checked ? find(".code b")?.textContent ?? "" : "";
      find(".use").checked = false;
      act(kind, one.dataset.does, { code });
    });
  }
  for (const one of made.querySelectorAll("[data-step]")) {
    one.addEventListener("click", () => act(kind, "change", { step: one.dataset.step }));
  }
  find(".lost").addEventListener("change", (what) => act(kind, "lose", { lost: what.target.checked }));
  at("shops").append(made);
  shops.set(kind, made);
  return made;
}

function draw(shop) {
  const shown = shops.get(shop.kind) ?? panel(shop.kind);
  const find = (selector) => shown.querySelector(selector);
  const order = shop.order;
  find(".order").textContent = order
    ? `Order ${order.id}: ${order.bags} bags, ${order.total} €, ${order.status}${order.refunds
      ? `, refunds: ${order.refunds}` : ""}` : "No order yet.";
  for (const one of shown.querySelectorAll("[data-step]")) {
    one.disabled = !shop.steps.includes(one.dataset.step);
  }
  find("[data-does=cancel_redemption]").disabled = !shop.code;
  find(".use").parentElement.hidden = !shop.code?.off;
  find(".code").replaceChildren(...(shop.code ? [
    make("b", "", shop.code.code),
    shop.code.off ? " is good in the shop" : " is not good in the shop: not yet, or no more"] : []));
  find(".lost").checked = shop.lost;
  const pull = shop.pull;
  find(".pull").textContent = !pull ? "Its orders were never pulled."
    : pull.running ? "A pull runs."
    : `Last pull ${pull.ended_at.slice(11, 19)} UTC: ${pull.checked} orders, ${pull.missed} missed`;
  find(".topics").replaceChildren(...Object.entries(shop.topics)
    .map(([topic, count]) => make("li", "", `${count} × ${topic}`)));
  find(".troubles").replaceChildren(...shop.troubles
    .map((one) => make("li", "trouble", `${one.about}: ${one.code} (${one.topic}) ${one.detail}`)));
}

async function show() {
  const found = await call(`/state?member=${encodeURIComponent(member)}`);
  at("balances").textContent = Object.entries(found.balances)
    .map(([name, one]) => `${one.available - one.debt} ${name}, ${one.pending} pending`).join("; ");
  found.shops.forEach(draw);
}

at("member").addEventListener("change", () => safely(() => {
  member = at("member").value;
  return show();
}));

await safely(async () => {
  const members = await call("/members");
  at("member").replaceChildren(...members.map((one) => new Option(one.name, one.id)));
  member = at("member").value;
  await show();
  setInterval(() => { if (!document.hidden) show().catch(() => {}); }, LOOKS_EVERY_MS);
});
