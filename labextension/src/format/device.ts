/** Words of a driver's model name that tell nobody which device it is. */
const NOISE =
  /\b(?:NVIDIA|GeForce|Tesla|Graphics Device|SXM\d?|PCIe|NVL|HBM\d\w?|GPU)\b/gi;

/** A device's model as people say it: "NVIDIA A100-SXM4-80GB" becomes "A100 80GB". */
export function shortModel(model: string): string {
  const short = model
    .replace(/[-_]/g, ' ')
    .replace(NOISE, ' ')
    .replace(/(\d)\s+GB\b/gi, '$1GB')
    .replace(/\s+/g, ' ')
    .trim();
  return short === '' ? model : short;
}
