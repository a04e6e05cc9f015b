import { generateKeys } from "@bourse/access";

/** Makes key.json and jwks.json in the folder given, /keys by default; keys that are there are kept. */
const { keyFile, jwksFile } = await generateKeys(process.argv[2] ?? "/keys");
process.stdout.write(`${keyFile}\n${jwksFile}\n`);
