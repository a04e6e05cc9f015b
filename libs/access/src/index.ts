export { formatPrincipal } from "@bourse/rpc";
export { type AccessGuard, createGuard } from "./guard.ts";
export { generateKeys, type KeyFiles } from "./keys.ts";
export { parsePrincipal } from "./principal.ts";
export { type AccessRule, type AgentField, readRule, ruleFaults } from "./rule.ts";
export { createSigner, type Signer, serviceToken } from "./signer.ts";
export { ISSUER, type TokenProblem } from "./token.ts";
