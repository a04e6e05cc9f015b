import { init } from "echarts";
import { type Row, summarize } from "./figures.ts";

const WIDTH = 900;
const HEIGHT = 520;
/** Far apart, also for who sees few colours; the peer's are grey. */
const COLORS =
  "#0072b2 #d55e00 #009e73 #cc79a7 #e69f00 #56b4e9 #7f3c8d #a5aa99 #8c564b #bcbd22 #e31a1c #1b4f3a";
const PEER_COLORS = ["#333333", "#888888"];

/**
 * Draws what a call costs the server, in microseconds of CPU, against the size of the market, as an
 * SVG: one line for each subject.
 */
export function drawCost(rows: readonly Row[], { changes }: { readonly changes: number }): string {
  const lines = Map.groupBy(summarize(rows), ({ subject }) => subject);
  const colors = COLORS.split(" ").values();
  const peerColors = PEER_COLORS.values();
  const sizes = rows.map(({ agents }) => agents);
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
  const chart = init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height: HEIGHT });
  try {
    chart.setOption({
      animation: false,
      backgroundColor: "#ffffff",
      title: {
        text: `What a call costs the server, while ${changes.toLocaleString("en")} profiles change in a second`,
        left: "center",
        textStyle: { fontSize: 15 },
      },
      grid: { left: 70, right: 250, top: 50, bottom: 60 },
      legend: { orient: "vertical", right: 10, top: "middle" },
      xAxis: {
        type: "log",
        ...(least < most && { min: least, max: most }),
        name: "agents in the market",
        nameLocation: "middle",
        nameGap: 30,
        axisLabel: { formatter: (value: number) => value.toLocaleString("en") },
        splitLine: { lineStyle: { color: "#eeeeee" } },
      },
      yAxis: {
        type: "value",
        min: 0,
        name: "microseconds of CPU for a call",
        nameLocation: "middle",
        nameGap: 45,
        splitLine: { lineStyle: { color: "#eeeeee" } },
      },
      series: [...lines].map(([subject, points]) => {
        // The peer knows of no agents.
        const isPeer = subject.startsWith("empty");
        const color = (isPeer ? peerColors : colors).next().value;
        return {
          type: "line",
          name: subject,
          symbol: isPeer ? "rect" : "circle",
          symbolSize: 7,
          itemStyle: { color },
          lineStyle: { width: 2, color, type: isPeer ? "dashed" : "solid" },
          data: points.map(({ agents, cpuUs }) => [agents, Math.round(cpuUs * 10) / 10]),
        };
      }),
    });
    return chart.renderToSVGString();
  } finally {
    // Else it keeps the process alive.
    chart.dispose();
  }
}
