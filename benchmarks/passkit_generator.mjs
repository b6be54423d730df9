// Prints how many passes npm's passkit-generator signs a second of CPU.
//
//   node benchmarks/passkit_generator.mjs PACKAGES FOLDER SECONDS
//
// PACKAGES is where the package was installed. FOLDER holds the PEM files and, in model/, the
// pass.json and the images of the pass: read once, as a server would.

import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [packages, folder, seconds] = process.argv.slice(2);
const { PKPass } = createRequire(join(resolve(packages), "any.js"))("passkit-generator");
const model = join(folder, "model");
const files = Object.fromEntries(
  readdirSync(model).map((name) => [name, readFileSync(join(model, name))]),
);
const certificates = {
  signerCert: readFileSync(join(folder, "pass_certificate")),
  signerKey: readFileSync(join(folder, "pass_key")),
  wwdr: readFileSync(join(folder, "wwdr")),
};

/** One signed pass. */
function build() {
  return new PKPass({ ...files }, certificates).getAsBuffer();
}

/** Passes a second of CPU, measured for some seconds of it. */
function rate(forSeconds) {
  const began = process.cpuUsage();
  let taken = 0;
  let count = 0;
  while (taken < forSeconds) {
    build();
    count += 1;
    const used = process.cpuUsage(began);
    taken = (used.user + used.system) / 1e6;
  }
  return count / taken;
}

rate(0.5); // the code is compiled meanwhile
console.log(rate(Number(seconds)));
