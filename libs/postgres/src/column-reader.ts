import { types } from "pg";

const TIMESTAMPTZ = types.builtins.TIMESTAMPTZ;

/**
 * How columns are read: as pg does, but times in UTC by the engine, which takes a tenth of the time. A row with four of
 * them took as long to read as all else in it. Those of a row are often the same, and so are those of rows that were
 * written together: such a one is not read again.
 */
export const readers: { getTypeParser: typeof types.getTypeParser } = {
  getTypeParser: ((oid: number, format?: "text" | "binary") => {
    const read = format === "binary" ? types.getTypeParser(oid, format) : types.getTypeParser(oid);
    if (oid !== TIMESTAMPTZ || format === "binary") return read;
    return (text: string) => readTime(text) ?? read(text);
  }) as typeof types.getTypeParser,
};

/** `2026-11-21 07:00:00.123+00`; undefined for what is written otherwise: another zone, infinity, years BC. */
function readTime(text: string): Date | undefined {
  if (text === last.text) return new Date(last.ms);
  if (!text.endsWith("+00") || text[10] !== " ") return undefined;
  const time = new Date(`${text.slice(0, 10)}T${text.slice(11, -3)}Z`);
  if (Number.isNaN(time.getTime())) return undefined;
  last = { text, ms: time.getTime() };
  return time;
}

/** What was read last. */
let last = { text: "1970-01-01 00:00:00+00", ms: 0 };
