import { types } from "pg";

const TIMESTAMPTZ = types.builtins.TIMESTAMPTZ;

/**
 * How columns are read: as pg does, but times in UTC by the engine, which takes a tenth of the time. A row with four of
 * them took as long to read as all else in it.
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
  if (!text.endsWith("+00") || text[10] !== " ") return undefined;
  const time = new Date(`${text.slice(0, 10)}T${text.slice(11, -3)}Z`);
  return Number.isNaN(time.getTime()) ? undefined : time;
}
