/** A run of whole lines; a new object whenever its text has grown. */
export interface ILogBlock {
  /** Stays the same while the block grows. */
  readonly id: number;

  /** The lines, each with its line feed. */
  readonly text: string;
}

/** How much text is kept: the last two million characters. */
export const LIMIT = 2_000_000;

/** How much goes into one block before the next one begins. */
const BLOCK_SIZE = 16_000;

const ESC = String.fromCharCode(27);
const BEL = String.fromCharCode(7);

/** Colours, cursor movements and titles: nothing of them has a place in a plain log. */
const ESCAPES = new RegExp(
  `${ESC}(?:\\[[0-?]*[ -/]*[@-~]|\\][^${BEL}${ESC}]*(?:${BEL}|${ESC}\\\\)|[@-Z^_])`,
  'g'
);

/** The beginning of one of those at the end of a piece, its rest still to come. */
const OPEN_ESCAPE = new RegExp(
  `${ESC}(?:\\[[0-?]*[ -/]*|\\][^${BEL}${ESC}]{0,1000}${ESC}?)?$`
);

/**
 * A log's text, bounded, as a terminal would leave it: without escape
 * sequences, and with lines that were written over shown in their last state.
 *
 * It comes in blocks so that a view renders only the last one again.
 */
export class LogText {
  constructor(options: LogText.IOptions = {}) {
    this._limit = options.limit ?? LIMIT;
    this._blockSize = options.blockSize ?? BLOCK_SIZE;
  }

  /** The lines that are finished, oldest first. */
  get blocks(): readonly ILogBlock[] {
    return this._blocks;
  }

  /** The line that is still being written. */
  get openLine(): string {
    return Private.settle(this._open);
  }

  /** How many characters were left out at the beginning. */
  get cut(): number {
    return this._cut;
  }

  /** Whether nothing was written. */
  get isEmpty(): boolean {
    return this._blocks.length === 0 && this.openLine === '';
  }

  /** Everything that is kept, as one text. */
  toString(): string {
    return this._blocks.map(block => block.text).join('') + this.openLine;
  }

  /** Add what was written next; it may end anywhere, even inside an escape sequence. */
  append(text: string): void {
    const whole = this._escape + text;
    this._escape = OPEN_ESCAPE.exec(whole)?.[0] ?? '';
    const readable = whole
      .slice(0, whole.length - this._escape.length)
      .replace(ESCAPES, '');
    const lines = (this._open + readable).split('\n');
    this._open = Private.overwritten(lines.pop() ?? '').slice(-this._limit);
    if (lines.length > 0) {
      this._add(lines.map(line => `${Private.settle(line)}\n`));
      this._bound();
    }
  }

  /** Say that text before what comes next is missing. */
  skip(length: number): void {
    this._cut += length;
  }

  private _add(lines: readonly string[]): void {
    const blocks = [...this._blocks];
    let last = blocks.pop() ?? { id: this._nextId++, text: '' };
    for (const line of lines) {
      if (last.text.length >= this._blockSize) {
        blocks.push(last);
        last = { id: this._nextId++, text: '' };
      }
      last = { id: last.id, text: last.text + line };
      this._length += line.length;
    }
    this._blocks = [...blocks, last];
  }

  private _bound(): void {
    let dropped = 0;
    while (this._length > this._limit && dropped < this._blocks.length - 1) {
      const length = this._blocks[dropped]?.text.length ?? 0;
      this._length -= length;
      this._cut += length;
      dropped++;
    }
    this._blocks = this._blocks.slice(dropped);
  }

  private readonly _limit: number;
  private readonly _blockSize: number;
  private _blocks: readonly ILogBlock[] = [];
  private _length = 0;
  private _cut = 0;
  private _open = '';
  private _escape = '';
  private _nextId = 0;
}

/** A namespace for LogText's options. */
export namespace LogText {
  /** Bounds, in characters. */
  export interface IOptions {
    /** How much is kept. */
    limit?: number;

    /** How much goes into one block. */
    blockSize?: number;
  }
}

namespace Private {
  /** A line without the states that were written over; a carriage return at its end stays. */
  export function overwritten(line: string): string {
    const isAtStart = line.endsWith('\r');
    const settled = settle(line);
    return isAtStart && settled !== '' ? `${settled}\r` : settled;
  }

  /** What a line shows: its last state. */
  export function settle(line: string): string {
    const written = line.replace(/\r+$/, '');
    return written.slice(written.lastIndexOf('\r') + 1);
  }
}
