/** Who asks for something: the market's own view of a token's bearer. */
export interface Caller {
  readonly kind: "anonymous" | "agent" | "operator" | "auditor" | "service";
  /** Agent id or service name; "" for the other kinds. */
  readonly id: string;
}

/** How the books name a caller: `agent:<id>`, `service:<name>`, `operator`. */
export function callerName(caller: Caller): string {
  return caller.id === "" ? caller.kind : `${caller.kind}:${caller.id}`;
}
