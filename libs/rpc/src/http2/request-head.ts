/** The headers of a request: name, value, name, value, in the order in which they came. */
export type Fields = readonly string[];

/** Of HTTP/1; a request that has one is malformed (RFC 9113, section 8.2.2). */
const OF_CONNECTIONS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);
const DIGITS = /^\d{1,15}$/;
const COLON = 58;

/** The headers of a request that are well-formed (RFC 9113, sections 8.2.2 and 8.3.1). */
export class RequestHead {
  readonly fields: Fields;
  readonly method: string;
  /** "" for CONNECT. */
  readonly path: string;
  /** What the body is said to have; -1 when nothing is said. */
  readonly contentBytes: number;

  private constructor(fields: Fields, method: string, path: string, contentBytes: number) {
    this.fields = fields;
    this.method = method;
    this.path = path;
    this.contentBytes = contentBytes;
  }

  /** Undefined for a malformed request. Of the characters of names and values the decoder has taken care. */
  static of(fields: Fields): RequestHead | undefined {
    let method: string | undefined;
    let scheme: string | undefined;
    let path: string | undefined;
    let authority: string | undefined;
    let content = -1;
    let at = 0;
    for (; at < fields.length && isPseudo(fields[at] as string); at += 2) {
      const value = fields[at + 1] as string;
      switch (fields[at]) {
        case ":method":
          if (method !== undefined) return undefined;
          method = value;
          break;
        case ":scheme":
          if (scheme !== undefined) return undefined;
          scheme = value;
          break;
        case ":path":
          if (path !== undefined || value === "") return undefined;
          path = value;
          break;
        case ":authority":
          if (authority !== undefined) return undefined;
          authority = value;
          break;
        default:
          return undefined;
      }
    }
    for (; at < fields.length; at += 2) {
      const name = fields[at] as string;
      const value = fields[at + 1] as string;
      if (!isAllowed(name, value)) return undefined;
      if (name !== "content-length") continue;
      if (!DIGITS.test(value) || (content !== -1 && content !== Number(value))) return undefined;
      content = Number(value);
    }
    if (method === undefined) return undefined;
    // CONNECT has an authority and nothing else (section 8.5).
    const isWhole =
      method === "CONNECT"
        ? scheme === undefined && path === undefined && authority !== undefined
        : scheme !== undefined && path !== undefined;
    return isWhole ? new RequestHead(fields, method, path ?? "", content) : undefined;
  }

  /** The value of a header; what came several times is joined by commas. */
  get(name: string): string | undefined {
    const { fields } = this;
    let found: string | undefined;
    for (let at = 0; at < fields.length; at += 2) {
      if (fields[at] !== name) continue;
      found = found === undefined ? fields[at + 1] : `${found}, ${fields[at + 1]}`;
    }
    return found;
  }
}

/** Whether these may be the trailers of a request (section 8.1). */
export function areTrailers(fields: Fields): boolean {
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at] as string;
    if (isPseudo(name) || !isAllowed(name, fields[at + 1] as string)) return false;
  }
  return true;
}

function isPseudo(name: string): boolean {
  return name.charCodeAt(0) === COLON;
}

function isAllowed(name: string, value: string): boolean {
  if (isPseudo(name) || OF_CONNECTIONS.has(name)) return false;
  return name !== "te" || value === "trailers";
}
