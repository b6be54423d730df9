import { Phone, drawApple, drawGoogle, make, notices } from "/web/wallets.js";

const at = (id) => document.getElementById(id);
const phone = new Phone((line) => log(line));
let member, stream, began, isInClub;

function log(line, kind = "") {
  const seconds = began === undefined ? "" : `+${Math.round(performance.now() - began)} ms  `;
  at("log").prepend(make("li", kind, seconds + line));
}

async function call(path, body) {
  const answer = await fetch(`/shop${path}`, body === undefined ? undefined : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.title);
  return content;
}

async function safely(work) {
  at("trouble").textContent = "";
  try { await work(); } catch (error) { at("trouble").textContent = error.message; }
}

async function show() {
  const found = await call(`/member?id=${encodeURIComponent(member)}`);
  at("balances").textContent = Object.entries(found.account.balances)
    .map(([name, one]) => `${one.available - one.debt} ${name}`).join(", ");
  const plan = found.account.membership;
  isInClub = Boolean(plan?.benefits.length);
  at("club").textContent = isInClub ? "Leave the Coffee Club" : "Join the Coffee Club";
  at("plan").textContent = plan?.plan ? `${plan.plan_name}: ${plan.state}` : "9 € a month, double stamps";
  at("redeem").disabled = !found.rewards.find((one) => one.id === "free_drink").available;
  at("refund").disabled = !found.refundable;
  at("page").href = found.links.page;
  return found;
}

function act(path) {
  return safely(async () => {
    began = performance.now();
    const done = await call(path, { member });
    log(`${done.call} → ${done.status}  ${done.moved}`);
    await show();
  });
}

function drawPhone() {
  if (phone.pass) drawApple(at("apple"), phone.pass); else at("apple").replaceChildren();
  at("apple-wallet").textContent = phone.pass ? "Remove from Apple Wallet" : "Add to Apple Wallet";
}

async function pushed() {
  const was = phone.pass;
  log("push from Apple's service", "push");
  safely(show);
  if (!was || !await phone.update()) return;
  drawPhone();
  const said = notices(was, phone.pass).map((one) => make("div", "notice", one));
  at("lock-screen").replaceChildren(...said);
  setTimeout(() => said.forEach((one) => one.remove()), 6000);
}

let saved = false;
function drawSaved(isSaved) {
  saved = isSaved;
  at("google-wallet").textContent = saved ? "Remove from Google Wallet" : "Add to Google Wallet";
  at("google").hidden = !saved;
}

/** Hears of pushes; a stream that breaks goes on where it was. */
function follow() {
  if (stream) stream.close();
  const query = new URLSearchParams({ token: phone.token, member });
  stream = new EventSource(`/shop/events?${query}`);
  stream.addEventListener("push", () => safely(pushed));
  stream.addEventListener("google", (what) => {
    drawGoogle(at("google"), JSON.parse(what.data));
    log("Google's object changed", "push");
  });
  return new Promise((resolve) => { stream.onopen = resolve; });
}

const pick = () => safely(async () => {
  member = at("member").value;
  began = undefined;
  at("google").replaceChildren();
  const { links } = await show();
  at("join").href = `/join/${links.page.split("/p/")[1].split(".")[0]}`;
  await follow();
  await phone.add(links.apple);
  drawPhone();
  await call("/google/save", { member });
  drawSaved(true);
  await show(); // what changed before the stream was there
});

at("member").addEventListener("change", pick);
for (const action of ["buy", "refund", "redeem"]) {
  at(action).addEventListener("click", () => act(`/${action}`));
}
at("club").addEventListener("click", () => safely(async () => {
  if (isInClub) {
    await act("/club/leave");
  } else {
    location.href = (await call("/club/join", { member })).url;
  }
}));
at("apple-wallet").addEventListener("click", () => safely(async () => {
  if (phone.pass) await phone.remove();
  else await phone.add((await show()).links.apple);
  drawPhone();
}));
at("google-wallet").addEventListener("click", () => safely(async () => {
  await call(saved ? "/google/delete" : "/google/save", { member });
  drawSaved(!saved);
}));

await safely(async () => {
  const members = await call("/members");
  const back = new URLSearchParams(location.search).get("member");
  at("member").replaceChildren(...members.map((one) =>
    new Option(one.name, one.id, false, one.id === back)));
  await pick();
});
