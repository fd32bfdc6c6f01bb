// A picture of the dashboard out of what Prometheus answered to its queries, for docs. Pure.
import type { Panel } from './dashboard.ts';

export interface Series {
  readonly name: string;
  /** Seconds since the epoch, and the value. */
  readonly points: readonly (readonly [number, number])[];
}

export interface Answered {
  readonly panel: Panel;
  readonly series: readonly Series[];
}

const [WIDTH, HEIGHT, GAP, COLUMNS] = [440, 190, 16, 2];
const COLOURS = ['#3274d9', '#56a64b', '#e0b400', '#a352cc', '#e02f44', '#ff780a', '#37872d', '#8ab8ff'];

export function dashboardSvg(answers: readonly Answered[]): string {
  const rows = Math.ceil(answers.length / COLUMNS);
  const [width, height] = [COLUMNS * (WIDTH + GAP) + GAP, rows * (HEIGHT + GAP) + GAP];
  const panels = answers.map((answer, index) => {
    const x = GAP + (index % COLUMNS) * (WIDTH + GAP);
    const y = GAP + Math.floor(index / COLUMNS) * (HEIGHT + GAP);
    return `<g transform="translate(${x},${y})">${panelSvg(answer)}</g>`;
  });
  const style = 'font-family="sans-serif" font-size="11" fill="#333"';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ${style}>\n<rect width="${width}" height="${height}" fill="#fff"/>\n${panels.join('\n')}\n</svg>\n`;
}

function panelSvg({ panel, series }: Answered): string {
  const points = series.flatMap((each) => each.points);
  const times = points.map(([time]) => time);
  const top = Math.max(1e-9, ...points.map(([, value]) => value));
  const [first, last] = [Math.min(...times), Math.max(...times)];
  const plot = {
    left: 60,
    top: 28,
    width: WIDTH - 72,
    height: HEIGHT - 28 - 20 - 14 * Math.min(3, series.length),
  };
  const place = ([time, value]: readonly [number, number]): string => {
    const x = plot.left + (plot.width * (time - first)) / Math.max(1, last - first);
    return `${x.toFixed(1)},${(plot.top + plot.height * (1 - value / top)).toFixed(1)}`;
  };
  const lines = series.map(
    ({ points: of }, index) =>
      `<polyline fill="none" stroke="${colour(index)}" stroke-width="1.5" points="${of.map(place).join(' ')}"/>`,
  );
  const bottom = plot.top + plot.height;
  const legend = series.slice(0, 6).map(({ name }, index) => {
    const [x, y] = [plot.left + (index % 2) * (plot.width / 2), bottom + 30 + 14 * Math.floor(index / 2)];
    return `<text x="${x}" y="${y}" fill="${colour(index)}">${escaped(name)}</text>`;
  });
  return [
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="none" stroke="#ddd"/>`,
    `<text x="10" y="18" font-weight="bold">${escaped(panel.title)}</text>`,
    `<text x="${WIDTH - 10}" y="18" text-anchor="end" fill="#888">${panel.unit}</text>`,
    `<line x1="${plot.left}" x2="${plot.left + plot.width}" y1="${bottom}" y2="${bottom}" stroke="#bbb"/>`,
    `<text x="${plot.left - 6}" y="${plot.top + 8}" text-anchor="end">${shortNumber(top)}</text>`,
    `<text x="${plot.left - 6}" y="${bottom}" text-anchor="end">0</text>`,
    `<text x="${plot.left}" y="${bottom + 14}" fill="#888">0 s</text>`,
    `<text x="${plot.left + plot.width}" y="${bottom + 14}" text-anchor="end" fill="#888">${Math.round(last - first)} s</text>`,
    ...lines,
    ...legend,
  ].join('');
}

function colour(index: number): string {
  return COLOURS[index % COLOURS.length] ?? '#333';
}

function shortNumber(value: number): string {
  if (value < 1e-6) return '';
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(2)));
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
