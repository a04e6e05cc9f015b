/** The look of the page: on screens of any size, by day and night, and on paper. */
export const STYLE = `
:root {
  --ink: #17202b; --soft: #5b6876; --line: #dde3e9; --paper: #fff; --wash: #f5f7f9;
  --mark: #0e6f73; --mark-wash: #e5f2f2;
  color-scheme: light dark;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6ebf0; --soft: #9aa7b4; --line: #2c3742; --paper: #141a21; --wash: #1b232c;
    --mark: #5ec4c2; --mark-wash: #16302f;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
header, main, footer { max-width: 1040px; margin: 0 auto; padding: 0 32px; }
header { padding-top: 56px; }
.kind {
  margin: 0; color: var(--mark); font-weight: 650; letter-spacing: .02em;
}
.kind span {
  margin-left: 8px; padding: 2px 8px; border-radius: 99px; background: var(--mark-wash);
  font-size: 12px; font-weight: 600; white-space: nowrap;
}
h1 { margin: 6px 0 20px; font-size: 38px; line-height: 1.15; letter-spacing: -.02em; font-weight: 680; }
h1 span { white-space: nowrap; }
h1 i { font-style: normal; font-weight: 400; color: var(--soft); }
h2 { margin: 52px 0 12px; font-size: 21px; letter-spacing: -.01em; }
h3 { margin: 0; font-size: 16.5px; }
p { margin: 0 0 12px; }
code { font: .87em/1.4 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
dl { margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; }
.facts { border-top: 1px solid var(--line); }
.facts div, article dl div { display: grid; grid-template-columns: 128px 1fr; gap: 16px; }
.facts div { padding: 8px 0; border-bottom: 1px solid var(--line); }
.facts em { color: var(--soft); }
.figures { display: grid; grid-template-columns: repeat(4, 1fr); gap: 12px; margin-top: 28px; }
.figures div { padding: 16px 18px; border-radius: 10px; background: var(--wash); }
.figures b { display: block; font-size: 30px; line-height: 1.2; letter-spacing: -.02em; font-weight: 650; }
.figures span { display: block; }
.figures small { color: var(--soft); font-size: 13px; }
figure { margin: 28px 0 0; }
figcaption { color: var(--soft); font-size: 13px; }
svg { display: block; width: 100%; height: auto; }
svg rect { fill: var(--mark); }
svg line { stroke: var(--line); }
svg text { fill: var(--soft); font-size: 11px; }
article { padding: 18px 0; border-top: 1px solid var(--line); break-inside: avoid; }
article:first-of-type { border-top: 0; padding-top: 4px; }
.head { display: flex; justify-content: space-between; align-items: baseline; gap: 16px; }
.head p { margin: 0; color: var(--soft); white-space: nowrap; }
.head b { color: var(--ink); }
.quiet .head b { color: var(--soft); font-weight: 400; }
.purpose { margin: 2px 0 10px; }
article dl { font-size: 14px; }
article dl div { padding: 2px 0; }
.types { display: flex; flex-wrap: wrap; gap: 6px; margin: 12px 0 0; font-size: 13px; }
.types span { padding: 1px 9px; border-radius: 99px; background: var(--mark-wash); color: var(--ink); }
table { width: 100%; border-collapse: collapse; font-size: 14px; }
th { text-align: left; color: var(--soft); font-weight: 500; }
th, td { padding: 7px 14px 7px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th:last-child, td:last-child { padding-right: 0; }
td code { white-space: nowrap; }
.n { text-align: right; font-variant-numeric: tabular-nums; }
time { white-space: nowrap; font-variant-numeric: tabular-nums; }
tr { break-inside: avoid; }
.note { margin-top: 12px; }
.safeguards { margin: 0; padding-left: 20px; }
.safeguards li { margin: 4px 0; }
footer { margin-top: 56px; padding-top: 16px; padding-bottom: 56px; color: var(--soft); font-size: 13px; }
footer p { border-top: 1px solid var(--line); padding-top: 16px; }
@media screen and (max-width: 760px) {
  header, main, footer { padding-left: 18px; padding-right: 18px; }
  h1 { font-size: 28px; }
  .figures { grid-template-columns: 1fr 1fr; }
  .facts div, article dl div { grid-template-columns: 1fr; gap: 0; }
  .head { display: block; }
  table { display: block; overflow-x: auto; }
}
@page { size: A4; margin: 16mm 15mm; }
@media print {
  :root {
    --ink: #000; --soft: #444; --line: #bbb; --paper: #fff; --wash: #fff;
    --mark: #0e6f73; --mark-wash: #fff; color-scheme: light;
  }
  body { font-size: 10pt; }
  header, main, footer { max-width: none; padding-left: 0; padding-right: 0; }
  header { padding-top: 0; }
  h1 { font-size: 24pt; }
  h2 { margin-top: 22pt; break-after: avoid; }
  table, article dl { font-size: 9pt; }
  time { white-space: normal; }
  .facts div, article dl div { grid-template-columns: 96px 1fr; }
  .figures div { padding: 10px 12px; }
  .figures b { font-size: 18pt; }
  .figures div { border: 1px solid var(--line); }
  .types span { border: 1px solid var(--line); }
  svg rect { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
