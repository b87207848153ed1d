/** `812 B`, `4.2 KiB`, `1.0 GiB`. */
export function bytes(size: number): string {
  const units = ["KiB", "MiB", "GiB", "TiB", "PiB"];
  if (size < 1024) {
    return `${size} B`;
  }
  let value = size;
  let unit = "B";
  for (const next of units) {
    if (value < 1024) {
      break;
    }
    value /= 1024;
    unit = next;
  }
  return `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`;
}
