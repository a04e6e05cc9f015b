/** A header as the tables hold it. */
export interface Field {
  readonly name: string;
  readonly value: string;
  /** Whether the name is one of HTTP/2. */
  readonly isName: boolean;
  /** Whether the value is one of HTTP. */
  readonly isValue: boolean;
}

/** What every table begins with: RFC 7541, Appendix A. The first has index 1. */
export const STATIC_FIELDS: readonly Field[] = `
:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`
  .trim()
  .split("\n")
  .map((line) => {
    const [, name = "", value = ""] = /^(\S+) ?(.*)$/.exec(line) ?? [];
    return { name, value, isName: true, isValue: true };
  });

/** The index of the newest entry of a dynamic table. */
export const FIRST_DYNAMIC_INDEX = STATIC_FIELDS.length + 1;

/** What a dynamic table may take unless a setting says otherwise. */
export const TABLE_BYTES_DEFAULT = 4096;

/** The bytes that a field counts for, in a table and in a list. */
export function bytesOf(name: string, value: string): number {
  return name.length + value.length + 32;
}
