import { createWriteStream, renameSync } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { streamed } from "@bourse/client";
import { openMarket, tellingRefusals } from "./connection.ts";
import { type FilterOptions, filterOf } from "./filter.ts";
import { FORMATS } from "./lines.ts";

interface ExportOptions extends FilterOptions {
  readonly data: string;
  readonly format: keyof typeof FORMATS;
  readonly out?: string;
  readonly resume?: string;
}

/**
 * `bourse ledger export`: writes a history as a stream, at the pace of whoever reads it. A file gets
 * its name when it is whole; when the export breaks off, the token to go on with is told.
 */
export async function exportHistory(options: ExportOptions): Promise<void> {
  const { data, format, out, resume = "" } = options;
  await using market = await openMarket(data);
  const request = { ...filterOf(options), resumeToken: resume };
  let resumeToken = resume;
  async function* lines() {
    const { head, lines: linesOf } = FORMATS[format];
    if (resume === "" && head !== "") yield head;
    const events = streamed((signal) => market.ledger.exportHistory(request, { signal }));
    for await (const event of events) {
      yield linesOf(event);
      resumeToken = event.resumeToken;
    }
  }
  await tellingRefusals(async () => {
    try {
      await write(Readable.from(lines()), out);
    } catch (error) {
      if (resumeToken !== "") console.error(`go on with --resume ${resumeToken}`);
      throw error;
    }
  });
}

async function write(lines: Readable, out: string | undefined): Promise<void> {
  if (out !== undefined) {
    await pipeline(lines, createWriteStream(`${out}.part`));
    renameSync(`${out}.part`, out);
    return;
  }
  try {
    await pipeline(lines, process.stdout, { end: false });
  } catch (error) {
    // Whoever reads has had enough, as `head` does.
    if ((error as NodeJS.ErrnoException).code !== "EPIPE") throw error;
  }
}
