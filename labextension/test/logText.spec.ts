import { LogText } from '../src/model/logText';

const ESC = '\u001b';

function textOf(...pieces: string[]): string {
  const text = new LogText();
  pieces.forEach(piece => {
    text.append(piece);
  });
  return text.toString();
}

describe('LogText', () => {
  it('keeps lines, wherever the pieces end', () => {
    expect(textOf('one\ntw', 'o\nthree')).toBe('one\ntwo\nthree');
  });

  it('shows the line that is still being written apart', () => {
    const text = new LogText();
    text.append('done\n42 %');
    expect(text.blocks.map(block => block.text)).toEqual(['done\n']);
    expect(text.openLine).toBe('42 %');
  });

  it('shows a progress bar in its last state', () => {
    expect(textOf('\r10 %', '\r20 %', '\r30 %')).toBe('30 %');
    expect(textOf('10 %\r', '20 %\r')).toBe('20 %');
    expect(textOf('10 %\r20 %\r100 %\nnext\n')).toBe('100 %\nnext\n');
  });

  it('takes a carriage return before a line feed as one line end', () => {
    expect(textOf('one\r\ntwo\r', '\nthree')).toBe('one\ntwo\nthree');
  });

  it('strips colours, titles and cursor movements, even cut in two', () => {
    expect(textOf(`${ESC}[1;32mgreen${ESC}[0m\n`)).toBe('green\n');
    expect(textOf(`a${ESC}`, '[3', '1mb')).toBe('ab');
    expect(textOf(`${ESC}]0;title\u0007x${ESC}[2Ky`)).toBe('xy');
  });

  it.each([
    ['an escape that never ends', `${ESC}[`],
    ['a lone escape', ESC]
  ])('holds back %s', (_, piece) => {
    expect(textOf('a', piece)).toBe('a');
  });

  it('is bounded, and says how much it left out', () => {
    const text = new LogText({ limit: 100, blockSize: 20 });
    for (let line = 0; line < 100; line++) {
      text.append(`line ${String(line).padStart(4, '0')}\n`);
    }
    const kept = text.toString();
    expect(kept.length).toBeLessThanOrEqual(100);
    expect(kept.endsWith('line 0099\n')).toBe(true);
    expect(text.cut + kept.length).toBe(1000);
  });

  it('bounds a line without an end', () => {
    const text = new LogText({ limit: 100 });
    for (let piece = 0; piece < 50; piece++) {
      text.append('x'.repeat(10));
    }
    expect(text.openLine).toHaveLength(100);
  });

  it('changes only its last block', () => {
    const text = new LogText({ blockSize: 4 });
    text.append('first\nsecond\n');
    const [first] = text.blocks;
    text.append('third\n');
    expect(text.blocks[0]).toBe(first);
    expect(new Set(text.blocks.map(block => block.id)).size).toBe(
      text.blocks.length
    );
  });

  it('knows whether anything was written', () => {
    const text = new LogText();
    expect(text.isEmpty).toBe(true);
    text.append('\r');
    expect(text.isEmpty).toBe(true);
    text.append('a');
    expect(text.isEmpty).toBe(false);
  });

  it.each([1, 2, 3, 4, 5, 6])(
    'is the same text wherever its pieces end (%d)',
    seed => {
      let last = seed;
      const next = (below: number): number => {
        last = (last * 1_103_515_245 + 12_345) % 2_147_483_648;
        return Math.floor((last / 2_147_483_648) * below);
      };
      const parts = [
        'step 1\n',
        '10 %\r',
        '20 %\r\n',
        `${ESC}[1;31mred${ESC}[0m`,
        `${ESC}]0;title\u0007`,
        `${ESC}[2K`,
        'Größe 测试',
        '\n\n',
        '\r'
      ];
      const whole = Array.from(
        { length: 200 },
        () => parts[next(parts.length)] ?? ''
      ).join('');
      const pieces: string[] = [];
      for (let place = 0; place < whole.length;) {
        const length = 1 + next(7);
        pieces.push(whole.slice(place, place + length));
        place += length;
      }
      expect(textOf(...pieces)).toBe(textOf(whole));
      const narrow = new LogText({ blockSize: 8 });
      pieces.forEach(piece => {
        narrow.append(piece);
      });
      expect(narrow.toString()).toBe(textOf(whole));
    }
  );
});
