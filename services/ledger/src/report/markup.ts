/** Text that is markup already. */
export interface Markup {
  readonly markup: string;
}

type Part = string | number | bigint | Markup | readonly Part[];

/** Markup with everything in its gaps escaped, but for what is markup itself. */
export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return { markup: texts.reduce((all, text, nth) => all + written(parts[nth - 1] ?? "") + text) };
}

function written(part: Part): string {
  if (Array.isArray(part)) return part.map(written).join("");
  if (typeof part === "object") return "markup" in part ? part.markup : "";
  return String(part).replaceAll(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
}
