/** Before what else a backslash between double quotes is itself. */
const ESCAPED_IN_QUOTES = '"\\$`';

/** A command line as its arguments, as a shell splits it: quotes and backslashes, nothing else. */
export function splitCommand(line: string): string[] {
  const args: string[] = [];
  let current = '';
  let isOpen = false;
  let quote: string | null = null;
  for (let place = 0; place < line.length; place++) {
    const char = line.charAt(place);
    const next = line.charAt(place + 1);
    const escapes = quote === '"' ? ESCAPED_IN_QUOTES.includes(next) : true;
    if (char === '\\' && quote !== "'" && next !== '' && escapes) {
      current += next;
      place++;
      isOpen = true;
    } else if (quote !== null) {
      if (char === quote) {
        quote = null;
      } else {
        current += char;
      }
    } else if (char === '"' || char === "'") {
      quote = char;
      isOpen = true;
    } else if (/\s/.test(char)) {
      if (isOpen) {
        args.push(current);
      }
      current = '';
      isOpen = false;
    } else {
      current += char;
      isOpen = true;
    }
  }
  return isOpen ? [...args, current] : args;
}

/** Arguments as a command line that splits into them again. */
export function joinCommand(args: readonly string[]): string {
  return args
    .map(arg =>
      /^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", `'\\''`)}'`
    )
    .join(' ');
}
