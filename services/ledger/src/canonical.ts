export { canonicalJson, type Json, type JsonObject } from "@bourse/proof";
