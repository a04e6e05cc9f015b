import { html, type Markup } from "./markup.ts";
import type { Period, Tallies } from "./report.ts";

const [WIDTH, HEIGHT, TOP, BOTTOM] = [960, 150, 18, 24] as const;
const LABELS_MAX = 8;

/** Events by day or month as bars, gaps shown as such; nothing when there are none. */
export function chartOf(spans: Tallies["spans"], period: Period): Markup {
  if (spans.length === 0) return html``;
  const columns = columnsOf(spans, period);
  const most = Math.max(...columns.map(({ events }) => events));
  const step = WIDTH / columns.length;
  const every = Math.ceil(columns.length / LABELS_MAX);
  const room = HEIGHT - TOP - BOTTOM;
  const bars = columns.map(({ events, label }, nth) => {
    const height = events === 0 ? 0 : Math.max(2, (events / most) * room);
    const [x, y] = [nth * step + step * 0.12, HEIGHT - BOTTOM - height];
    const [left, top, wide, high] = [x, y, Math.min(step * 0.76, 60), height].map(fixed);
    return html`<rect x="${left ?? ""}" y="${top ?? ""}" width="${wide ?? ""}" height="${high ?? ""}" rx="1.5">
<title>${label}: ${events}</title></rect>`;
  });
  const labels = columns.flatMap(({ label }, nth) => {
    if (nth % every !== 0) return [];
    const x = nth * step + step * 0.12;
    // One that would run out of the picture ends where its bar does.
    const [at, anchor] = x > WIDTH - 70 ? [WIDTH, "end"] : [x, "start"];
    return [html`<text x="${fixed(at)}" y="${HEIGHT - 8}" text-anchor="${anchor}">${label}</text>`];
  });
  const unit = columns[0]?.label.length === 7 ? "month" : "day";
  return html`<figure>
<figcaption>Events by ${unit}, at most ${most}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Events by ${unit}">
<line x1="0" x2="${WIDTH}" y1="${HEIGHT - BOTTOM}" y2="${HEIGHT - BOTTOM}"/>
${bars}
${labels}
</svg>
</figure>
`;
}

interface Column {
  readonly label: string;
  readonly events: number;
}

/** Longest list of columns: a century of months. */
const COLUMNS_MAX = 1_200;
const DAYS_MAX_MS = 92 * 86_400_000;

function columnsOf(spans: Tallies["spans"], { from, until }: Period): readonly Column[] {
  const isByDay = until.getTime() - from.getTime() <= DAYS_MAX_MS;
  const length = isByDay ? 10 : 7;
  const counts = new Map(
    spans.map((span) => [span.from.toISOString().slice(0, length), span.events]),
  );
  // Where a period is far longer than what happened in it, only that is shown.
  const first = Math.max(from.getTime(), isByDay ? 0 : (spans[0]?.from.getTime() ?? 0));
  const last = Math.min(
    until.getTime() - 1,
    isByDay ? Infinity : (spans.at(-1)?.from.getTime() ?? 0),
  );
  const columns: Column[] = [];
  const at = new Date(first);
  at.setUTCHours(0, 0, 0, 0);
  if (!isByDay) at.setUTCDate(1);
  while (at.getTime() <= last && columns.length < COLUMNS_MAX) {
    const label = at.toISOString().slice(0, length);
    columns.push({ label, events: counts.get(label) ?? 0 });
    if (isByDay) at.setUTCDate(at.getUTCDate() + 1);
    else at.setUTCMonth(at.getUTCMonth() + 1);
  }
  return columns;
}

function fixed(value: number): string {
  return value.toFixed(1);
}
