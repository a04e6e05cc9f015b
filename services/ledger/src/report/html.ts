import { activityOf, RECORD_RETENTION } from "./activities.ts";
import { chartOf } from "./chart.ts";
import { html, type Markup } from "./markup.ts";
import type { ActivityEntry, Erasure, Report } from "./report.ts";
import { STYLE } from "./style.ts";

/**
 * The report as one page that needs nothing else: no script, no request, and it prints. All that comes from events is
 * escaped.
 */
export function toHtml(report: Report): string {
  const [from, until] = [day(report.period.from), day(report.period.until)];
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="generator" content="Bourse">
<title>Record of processing activities, ${from} to ${until}</title>
<style>${{ markup: STYLE }}</style>
</head>
<body>
<header>
<p class="kind">Record of processing activities <span>Article 30 GDPR</span></p>
<h1><span>${from}</span> <i>to</i> <span>${until}</span></h1>
${facts(report)}
</header>
<main>
${figures(report)}
${chartOf(report.tallies.spans, report.period)}
${sections(report)}
</main>
<footer>
<p>Made from the events on the market's record whose time lies within the period${lastOf(report)}.
The same record and period give the same report, byte for byte.</p>
</footer>
</body>
</html>
`;
  return page.markup;
}

function facts({ controller, reportId, period }: Report): Markup {
  const missing = html`<em>not stated: set BOURSE_LEDGER_CONTROLLER</em>`;
  const told: readonly (readonly [name: string, value: string | Markup])[] = [
    ["Controller", controller === "" ? missing : controller],
    ["System", "Bourse, a task market for AI agents"],
    ["Report", html`<code>${reportId}</code>`],
    ["Period", `${instant(period.from)} up to, not including, ${instant(period.until)}`],
  ];
  return html`<dl class="facts">
${told.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>\n`)}</dl>`;
}

function figures({ tallies }: Report): Markup {
  const { unlinked, erasuresRequested, erasuresCompleted } = tallies;
  const lost = unlinked === 0 ? "" : `${count(unlinked)} of them unlinked for good`;
  return html`<section class="figures" aria-label="Totals">
${figure(tallies.events, "events on record")}
${figure(tallies.subjects, "pseudonyms concerned", lost)}
${figure(tallies.tasks, "tasks")}
${figure(erasuresRequested, "erasures asked for", `${count(erasuresCompleted)} completed`)}
</section>`;
}

function sections(report: Report): readonly Markup[] {
  const { activities, roles, recipients, safeguards } = report;
  const parts = roles.map(({ role, name, subjects, events }) => {
    return [name, html`<code>${role}</code>`, subjects, events];
  });
  const handed = recipients.map(({ name, activities: ofWhat }) => [name, ofWhat.join("; ")]);
  return [
    section("What is done, and what for", [
      html`<p>${RECORD_RETENTION}</p>`,
      ...activities.map(activity),
    ]),
    section("Events by type", [typesOf(report)]),
    section("Who is concerned", [
      html`<p>Counted by pseudonym; one agent may play several parts.</p>`,
      table(["Part", "", "Pseudonyms", "Events"], parts),
    ]),
    section("Who receives data", [
      table(["Recipient", "For"], handed),
      html`<p class="note">The software itself hands nothing to third countries. Where agents and their authors are is
for the controller to say.</p>`,
    ]),
    section("Erasures", [erasuresOf(report)]),
    section("Safeguards", [
      html`<ul class="safeguards">${safeguards.map((each) => html`<li>${each}</li>`)}</ul>`,
    ]),
  ];
}

function section(title: string, content: readonly Markup[]): Markup {
  return html`<section>
<h2>${title}</h2>
${content}
</section>
`;
}

function activity(entry: ActivityEntry): Markup {
  const { name, purpose, events, people, types } = entry;
  const told: readonly (readonly [name: string, value: string])[] = [
    ["Data", entry.data.join("; ")],
    ["Concerned", entry.subjects.join(", ")],
    ["Recipients", entry.recipients.join(", ")],
    ["Kept", entry.retention],
  ];
  const chips = types.map((each) => {
    return html`<span><code>${each.type}</code> ${count(each.events)}</span> `;
  });
  return html`<article class="${events === 0 ? "quiet" : "lively"}">
<div class="head"><h3>${name}</h3>
<p>${counted(events, "event")} &#183; ${counted(people, "pseudonym")}</p></div>
<p class="purpose">${purpose}</p>
<dl>
${told.map(([term, value]) => html`<div><dt>${term}</dt><dd>${value}</dd></div>\n`)}</dl>
${chips.length === 0 ? "" : html`<p class="types">${chips}</p>`}
</article>
`;
}

function counted(value: number, name: string): Markup {
  return html`<b>${count(value)}</b> ${plural(value, name)}`;
}

function typesOf({ tallies }: Report): Markup {
  return table(
    ["Type", "Activity", "Told by", "Pseudonyms", "Events", "First (UTC)", "Last (UTC)"],
    tallies.types.map((each) => [
      html`<code>${each.type}</code>`,
      activityOf(each.type).name,
      each.source,
      each.subjects,
      each.events,
      html`<time>${instant(each.first, "")}</time>`,
      html`<time>${instant(each.last, "")}</time>`,
    ]),
  );
}

function erasuresOf({ tallies }: Report): Markup {
  const { erasures, erasuresRequested, erasuresCompleted } = tallies;
  if (erasures.length === 0) return html`<p>None was asked for or completed.</p>`;
  const isCut = Math.max(erasuresRequested, erasuresCompleted) > erasures.length;
  const cut = isCut ? ` (the first ${count(erasures.length)} are listed)` : "";
  const rows = erasures.map((each) => [
    html`<code>${each.id}</code>`,
    each.requestedAt === undefined ? "before the period" : instant(each.requestedAt),
    each.completedAt === undefined ? "not within the period" : instant(each.completedAt),
    took(each),
  ]);
  return html`<p>${count(erasuresRequested)} asked for and ${count(erasuresCompleted)} completed within the
period${cut}. The number of an erasure does not say of whom.</p>
${table(["Erasure", "Asked for", "Completed", "Took"], rows)}`;
}

type Cell = string | number | Markup;

function table(head: readonly string[], rows: readonly (readonly Cell[])[]): Markup {
  if (rows.length === 0) return html`<p>None.</p>`;
  const cell = (value: Cell) =>
    typeof value === "number" ? html`<td class="n">${count(value)}</td>` : html`<td>${value}</td>`;
  const isNumber = (nth: number) => typeof rows[0]?.[nth] === "number";
  const heads = head.map((name, nth) => {
    return html`<th scope="col" class="${isNumber(nth) ? "n" : "t"}">${name}</th>`;
  });
  return html`<table>
<thead><tr>${heads}</tr></thead>
<tbody>
${rows.map((row) => html`<tr>${row.map(cell)}</tr>\n`)}</tbody>
</table>`;
}

function figure(value: number, name: string, note = ""): Markup {
  const small = note === "" ? "" : html`<small>${note}</small>`;
  return html`<div><b>${count(value)}</b><span>${name}</span>${small}</div>`;
}

function lastOf({ tallies: { last } }: Report): Markup {
  if (last === undefined) return html`; there were none`;
  return html`, up to event <b>${last.sequence}</b> with the hash <code>${last.hash}</code>`;
}

function took({ requestedAt, completedAt }: Erasure): string {
  if (requestedAt === undefined || completedAt === undefined) return "";
  const seconds = Math.max(0, Math.round((completedAt.getTime() - requestedAt.getTime()) / 1_000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800
    ? `${Math.round(seconds / 3_600)} h`
    : `${Math.round(seconds / 86_400)} days`;
}

/** Digits in groups of three, with a space that does not break. */
function count(value: number): string {
  return String(value).replaceAll(/\B(?=(\d{3})+$)/g, "\u202f");
}

function plural(value: number, name: string): string {
  return value === 1 ? name : `${name}s`;
}

function day(at: Date): string {
  return at.toISOString().slice(0, 10);
}

function instant(at: Date, zone = " UTC"): string {
  return `${at.toISOString().slice(0, 19).replace("T", " ")}${zone}`;
}
