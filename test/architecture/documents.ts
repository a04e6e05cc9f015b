import { posix } from "node:path";
import { type Fault, linesMatching, type TextFile } from "./tree.ts";

/** Reads a file of the tree that a link leads to; undefined when there is none. */
export type Target = { readonly text: string } | "folder" | undefined;

/** Finds the relative links of a document that lead to no file, no folder or no heading. */
export function linkFaults(file: TextFile, targetAt: (path: string) => Target): readonly Fault[] {
  return linksOf(file.text).flatMap(({ href, line }) => {
    const [path = "", anchor] = href.split("#");
    const target =
      path === "" ? file : targetAt(posix.normalize(posix.join(posix.dirname(file.path), path)));
    if (target === undefined) return [{ path: file.path, line, problem: `${href} leads nowhere` }];
    if (anchor === undefined || target === "folder") return [];
    return headingsOf(target.text).has(anchor)
      ? []
      : [{ path: file.path, line, problem: `${href} names no heading` }];
  });
}

/** Finds what only the machine or the workplace of its author can resolve. */
export function placeFaults(file: TextFile): readonly Fault[] {
  return PLACES.flatMap((place) => linesMatching(file, place, `names ${place.source}`));
}

const PLACES = [
  /\.\.\/shared\b/,
  /seed[-]inventory|api-checklist[.]md/,
  /(^|[\s"'`(=:])\/(work|root|home|Users)\//,
  /\/tmp\/brief/,
  /\bissue #?[0-9]+\b(?!.*github)/i,
];

interface Link {
  readonly href: string;
  readonly line: number;
}

/** Links and pictures outside code, without those that name a scheme. */
function linksOf(markdown: string): readonly Link[] {
  return withoutCode(markdown)
    .split("\n")
    .flatMap((text, index) =>
      [...text.matchAll(/\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)|^\[[^\]]+\]:\s*(\S+)/g)].map(
        (match) => ({
          href: decodeURI(match[1] ?? match[2] ?? ""),
          line: index + 1,
        }),
      ),
    )
    .filter(({ href }) => !/^[a-z][a-z+.-]*:|^\/\//i.test(href));
}

function headingsOf(markdown: string): ReadonlySet<string> {
  const headings = withoutBlocks(markdown).matchAll(/^#{1,6}\s+(.*)$/gm);
  return new Set(
    [...headings].map(([, title = ""]) =>
      title
        .trim()
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, "")
        .replace(/\s/g, "-"),
    ),
  );
}

function withoutCode(markdown: string): string {
  return withoutBlocks(markdown).replace(/`[^`\n]*`/g, "");
}

function withoutBlocks(markdown: string): string {
  return markdown.replace(/^(```|~~~)[\s\S]*?^\1/gm, (code) => code.replace(/[^\n]/g, ""));
}
