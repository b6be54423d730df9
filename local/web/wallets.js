// What a phone does with a pass: reads the bundle, draws it, registers, and fetches what changed.

/** The files of a stored (not deflated) zip: name -> bytes. */
function unzip(buffer) {
  const view = new DataView(buffer);
  let end = buffer.byteLength - 22;
  while (view.getUint32(end, true) !== 0x06054b50) end -= 1;
  const files = {};
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left -= 1) {
    const [size, name, extra, comment] = [24, 28, 30, 32].map((where, index) =>
      index === 0 ? view.getUint32(at + where, true) : view.getUint16(at + where, true));
    const local = view.getUint32(at + 42, true);
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const path = new TextDecoder().decode(new Uint8Array(buffer, at + 46, name));
    files[path] = new Uint8Array(buffer, start, size);
    at += 46 + name + extra + comment;
  }
  return files;
}

const text = (bytes) => new TextDecoder().decode(bytes);

/** A bundle as a phone of a language reads it. */
export function readPass(buffer, language = "en") {
  const files = unzip(buffer);
  const strings = files[`${language}.lproj/pass.strings`];
  const said = {};
  for (const [, key, value] of (strings ? text(strings) : "").matchAll(/"(.+?)"\s*=\s*"(.+?)";/g)) {
    said[key] = value;
  }
  return { ...JSON.parse(text(files["pass.json"])), files, said, language };
}

function image(pass, name) {
  const found = [`${name}@2x.png`, `${name}.png`, `${name}@3x.png`].find((one) => pass.files[one]);
  if (!found) return null;
  const made = make("img", name);
  made.src = URL.createObjectURL(new Blob([pass.files[found]], { type: "image/png" }));
  made.alt = "";
  made.onload = () => URL.revokeObjectURL(made.src);
  return made;
}

export function make(tag, kind = "", content = "") {
  const made = document.createElement(tag);
  made.className = kind;
  made.textContent = content;
  return made;
}

function shown(field, language) {
  const { value } = field;
  if (typeof value !== "number") return String(value);
  const money = field.currencyCode ? { style: "currency", currency: field.currencyCode } : {};
  return value.toLocaleString(language, money);
}

function fieldsOf(pass, style, place) {
  const row = make("div", place);
  for (const field of style[place] || []) {
    const one = make("div", "field");
    one.append(make("span", "label", pass.said[field.label] || field.label || ""),
      make("span", "value", shown(field, pass.language)));
    row.append(one);
  }
  return row;
}

function code(message, alternative) {
  const box = make("div", "barcode");
  const picture = make("img");
  picture.src = `/web/code.svg?text=${encodeURIComponent(message)}`;
  picture.alt = `QR code of ${message}`;
  box.append(picture, make("small", "", alternative || ""));
  return box;
}

const styleOf = (pass) => pass.storeCard || pass.generic || pass.coupon;

/** Draws an Apple pass as Wallet lays a store card out; a click turns it over. */
export function drawApple(into, pass) {
  const style = styleOf(pass);
  const front = make("div", "front");
  const head = make("header");
  const logo = image(pass, "logo");
  head.append(...(logo ? [logo] : []), make("span", "logo-text", pass.logoText || ""),
    fieldsOf(pass, style, "headerFields"));
  const strip = make("div", "strip-box");
  const picture = image(pass, "strip");
  strip.append(...(picture ? [picture] : []), fieldsOf(pass, style, "primaryFields"));
  front.append(head, strip, fieldsOf(pass, style, "secondaryFields"),
    fieldsOf(pass, style, "auxiliaryFields"));
  const [barcode] = pass.barcodes || [];
  front.append(barcode && !pass.voided ? code(barcode.message, barcode.altText)
    : make("p", "void", pass.voided ? "Void" : ""));
  const back = make("div", "back");
  back.append(fieldsOf(pass, style, "backFields"));
  into.replaceChildren(front, back);
  into.classList.toggle("voided", Boolean(pass.voided));
  into.style.setProperty("--ground", pass.backgroundColor || "white");
  into.style.setProperty("--ink", pass.foregroundColor || "black");
  into.style.setProperty("--label", pass.labelColor || pass.foregroundColor || "black");
  into.onclick = () => into.classList.toggle("turned");
}

/** What the lock screen says of an update: one line for each changed field with a message. */
export function notices(was, now) {
  const fields = (pass) => Object.values(styleOf(pass)).flat();
  const before = Object.fromEntries(fields(was).map((one) => [one.key, shown(one, was.language)]));
  return fields(now)
    .filter((one) => one.changeMessage && before[one.key] !== undefined
      && before[one.key] !== shown(one, now.language))
    .map((one) => one.changeMessage.replace("%@", shown(one, now.language)));
}

const balance = (points) => {
  const { int, string, double, money } = points.balance;
  return string ?? int ?? double ?? (money && `${money.micros / 1e6} ${money.currencyCode}`);
};

/** Draws a loyalty object of Google Wallet with its class. */
export function drawGoogle(into, { object, class: kind }) {
  const head = make("header");
  head.append(make("span", "logo-text", kind.programName), make("small", "", kind.rewardsTier || ""));
  const values = make("div", "values");
  for (const points of [object.loyaltyPoints, object.secondaryLoyaltyPoints].filter(Boolean)) {
    const one = make("div", "field");
    one.append(make("span", "label", points.label), make("span", "value", balance(points)));
    values.append(one);
  }
  const parts = [head, values];
  if (object.state === "ACTIVE" && object.barcode) {
    parts.push(code(object.barcode.value, object.barcode.alternateText));
  } else {
    parts.push(make("p", "void", object.state));
  }
  if (object.heroImage) {
    const hero = make("img", "hero");
    hero.src = object.heroImage.sourceUri.uri;
    hero.alt = object.heroImage.contentDescription?.defaultValue?.value || "";
    parts.push(hero);
  }
  const details = make("details");
  details.append(make("summary", "", "Details"));
  for (const one of object.textModulesData || []) {
    details.append(make("p", "", `${one.header}: ${one.body}`));
  }
  details.append(make("p", "", [object.accountName, object.accountId].filter(Boolean).join(" · ")));
  into.replaceChildren(...parts, details);
  into.style.setProperty("--ground", kind.hexBackgroundColor || "#444");
}

/** An iPhone, as far as Apple's web service sees one (developer.apple.com, "Adding a Web Service
 * to Update Passes"). `tell` is given a line for each call. */
export class Phone {
  constructor(tell) {
    const hex = (bytes) => [...crypto.getRandomValues(new Uint8Array(bytes))]
      .map((one) => one.toString(16).padStart(2, "0")).join("");
    for (const [name, bytes] of [["device", 16], ["token", 32]]) {
      if (!localStorage.getItem(name)) localStorage.setItem(name, hex(bytes));
      this[name] = localStorage.getItem(name);
    }
    this.tell = tell;
  }

  async add(link) {
    const answer = await fetch(link);
    if (!answer.ok) throw new Error(`the pass was answered ${answer.status}`);
    await this.keep(answer);
    const registered = await this.call("POST", `${this.devices}/${this.pass.serialNumber}`,
      { body: JSON.stringify({ pushToken: this.token }) });
    this.tell(`POST registrations/{pass} → ${registered.status}`);
    const listed = await this.call("GET", this.devices);
    this.tag = listed.status === 200 ? (await listed.json()).lastUpdated : "";
  }

  /** After a push: asks what changed, and fetches it. True where this pass did. */
  async update() {
    const listed = await this.call("GET", `${this.devices}?passesUpdatedSince=${this.tag}`);
    this.tell(`GET registrations?passesUpdatedSince → ${listed.status}`);
    if (listed.status !== 200) return false;
    const changed = await listed.json();
    this.tag = changed.lastUpdated;
    if (!changed.serialNumbers.includes(this.pass.serialNumber)) return false;
    const fetched = await this.call("GET", this.address,
      { headers: { "If-Modified-Since": this.modified } });
    this.tell(`GET passes/{pass} → ${fetched.status}`);
    if (fetched.status !== 200) return false;
    await this.keep(fetched);
    return true;
  }

  async remove() {
    const done = await this.call("DELETE", `${this.devices}/${this.pass.serialNumber}`);
    this.tell(`DELETE registrations/{pass} → ${done.status}`);
    this.pass = undefined;
  }

  async keep(answer) {
    this.modified = answer.headers.get("Last-Modified");
    this.pass = readPass(await answer.arrayBuffer(), navigator.language.slice(0, 2));
  }

  get devices() {
    const { webServiceURL, passTypeIdentifier } = this.pass;
    return `${webServiceURL}/v1/devices/${this.device}/registrations/${passTypeIdentifier}`;
  }

  get address() {
    const { webServiceURL, passTypeIdentifier, serialNumber } = this.pass;
    return `${webServiceURL}/v1/passes/${passTypeIdentifier}/${serialNumber}`;
  }

  call(method, url, { headers = {}, body } = {}) {
    const sent = { Authorization: `ApplePass ${this.pass.authenticationToken}`,
      ...(body ? { "Content-Type": "application/json" } : {}), ...headers };
    return fetch(url, { method, headers: sent, body, cache: "no-store" });
  }
}
