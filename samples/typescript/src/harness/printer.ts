/** How the demo writes to the terminal: one line for each thing that happens, with the seconds since the sample began. */

const colours = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 };
const coloured = process.stdout.isTTY && process.env.NO_COLOR === undefined;

/** The text in a colour, if the terminal shows colours. */
export function paint(colour: keyof typeof colours, text: string): string {
  return coloured ? `\x1b[${colours[colour]}m${text}\x1b[0m` : text;
}

export class Printer {
  private readonly began = Date.now();

  constructor(private readonly quiet: boolean) {}

  /** Seconds since this printer was made. */
  get seconds(): string {
    return ((Date.now() - this.began) / 1000).toFixed(1);
  }

  /** A line: when, who, what. */
  line(who: string, text: string, colour?: keyof typeof colours): void {
    if (this.quiet) return;
    const body = `${who.padEnd(9)} ${text}`;
    console.log(`${paint('dim', `${this.seconds.padStart(6)}s`)}  ${colour ? paint(colour, body) : body}`);
  }
}

/** Rows of text as columns of equal width. */
export function table(rows: string[][]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column])).join('  ').trimEnd())
    .join('\n');
}
