/** Hours, or any amount, with as many digits as tell something: "1,234", "12.3", "0.0012", "<0.001". */
export function formatAmount(value: number): string {
  if (value > 0 && value < 0.001) {
    return '<0.001';
  }
  const digits = Math.floor(Math.log10(Math.abs(value))) + 1;
  return value.toLocaleString(undefined, {
    maximumSignificantDigits: Math.max(3, digits)
  });
}

/** A part of a whole: "62 %"; a dash where there is none. */
export function formatPart(part: number | null): string {
  return part === null ? '–' : `${Math.round(part * 100)} %`;
}

/** Money with two decimals: "1,234.50 EUR"; a dash where nothing has a price. */
export function formatCost(cost: number | null, currency: string): string {
  if (cost === null) {
    return '–';
  }
  const amount = cost.toLocaleString(undefined, {
    minimumFractionDigits: 2,
    maximumFractionDigits: 2
  });
  return `${amount} ${currency}`;
}
