import { drawApple, drawGoogle, readPass } from "/web/wallets.js";

const at = (id) => document.getElementById(id);
const form = at("sample");

async function fetched(kind, query) {
  const answer = await fetch(`/looks/${kind}?${query}`, { cache: "no-store" });
  if (!answer.ok) throw new Error((await answer.json()).title);
  return answer;
}

async function show() {
  const looks = await (await fetch("/looks/list", { cache: "no-store" })).json();
  choose(looks.map((one) => one.name));
  const query = new URLSearchParams(new FormData(form));
  const problems = [];
  const draw = async (kind, work) => {
    try { await work(await fetched(kind, query)); } catch (error) { problems.push(error.message); }
  };
  problems.push(...(looks.find((one) => one.name === form.look.value)?.problems || []));
  await draw("pass", async (answer) =>
    drawApple(at("apple"), readPass(await answer.arrayBuffer(), form.language.value)));
  await draw("google", async (answer) => drawGoogle(at("google"), await answer.json()));
  await draw("picture", async (answer) => { at("picture").innerHTML = await answer.text(); });
  at("problems").textContent = [...new Set(problems)].join("\n");
}

function choose(names) {
  const chosen = form.look.value || names[0];
  if (names.join() === [...form.look.options].map((one) => one.value).join()) return;
  form.look.replaceChildren(...names.map((one) => new Option(one, one, false, one === chosen)));
}

form.addEventListener("input", show);
form.addEventListener("submit", (what) => what.preventDefault());
new EventSource("/looks/events").addEventListener("changed", show);
await show();
