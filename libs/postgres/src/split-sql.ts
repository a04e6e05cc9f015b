/** One statement of an SQL text. */
export interface Statement {
  /** As written, with the comments before and in it, without its semicolon. */
  readonly text: string;
  /** Without comments, its white space made single spaces. */
  readonly code: string;
  /** The comments, each without its marks. */
  readonly comments: readonly string[];
}

const TOKEN = new RegExp(
  [
    /(?<line>--[^\n]*)/,
    /(?<block>\/\*[\s\S]*?\*\/)/,
    // Escapes with a backslash, standard strings, quoted names, dollar quotes.
    /\b[eE]'(?:[^'\\]|\\[\s\S]|'')*'/,
    /'(?:[^']|'')*'/,
    /"(?:[^"]|"")*"/,
    /\$(?<tag>(?:[A-Za-z_]\w*)?)\$[\s\S]*?\$\k<tag>\$/,
    /(?<end>;)/,
    /(?<space>\s+)/,
    /\w+|[\s\S]/,
  ]
    .map(({ source }) => source)
    .join("|"),
  "g",
);

/**
 * Splits an SQL text into its statements; what holds only comments is none. Comments within comments
 * and function bodies without quotes (`begin atomic`) are not understood.
 */
export function splitSql(sql: string): readonly Statement[] {
  const statements: Statement[] = [];
  let text = "";
  let code = "";
  let comments: string[] = [];
  const finish = () => {
    if (code.trim() !== "") statements.push({ text: text.trim(), code: code.trim(), comments });
    [text, code, comments] = ["", "", []];
  };
  for (const { 0: token, groups = {} } of sql.matchAll(TOKEN)) {
    if (groups["end"] !== undefined) {
      finish();
      continue;
    }
    text += token;
    if (groups["line"] !== undefined) comments.push(token.slice(2).trim());
    else if (groups["block"] !== undefined) comments.push(token.slice(2, -2).trim());
    else code += groups["space"] === undefined ? token : " ";
  }
  finish();
  return statements.map((each) => ({ ...each, code: each.code.replaceAll(/ {2,}/g, " ") }));
}
