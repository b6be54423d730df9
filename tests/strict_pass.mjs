// Holds a pass.json (standard input) against the strict schemas of npm's passkit-generator.
// The only argument is the folder in which it is installed.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(`${process.argv[2]}/`);
const schemas = require("./node_modules/passkit-generator/lib/cjs/schemas/index.js");
const pass = JSON.parse(readFileSync(0));

const STYLES = ["storeCard", "generic", "coupon", "posterGeneric"];
const { barcode, ...rest } = pass; // of iOS 8; the library itself writes `barcodes` alone
for (const style of STYLES) {
  if (rest[style]) {
    const { error } = schemas.PassFields.validate(rest[style]);
    if (error) throw new Error(`${style}: ${error.message}`);
  }
}
const { error } = schemas.PassProps.validate(rest);
if (error) throw new Error(error.message);
