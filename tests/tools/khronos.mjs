import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createRequire } from "node:module";

const require = createRequire(join(process.argv[2], "package.json"));
const validator = require("gltf-validator");

let input = "";
for await (const piece of process.stdin) input += piece;

const reports = [];
for (const path of JSON.parse(input)) {
  try {
    const report = await validator.validateBytes(new Uint8Array(await readFile(path)), {
      uri: path,
      maxIssues: 0,
      writeTimestamp: false,
      externalResourceFunction: async (uri) =>
        new Uint8Array(await readFile(join(dirname(path), decodeURIComponent(uri)))),
    });
    reports.push({ path, issues: report.issues });
  } catch (error) {
    reports.push({ path, fatal: String(error) });
  }
}
process.stdout.write(JSON.stringify(reports));
