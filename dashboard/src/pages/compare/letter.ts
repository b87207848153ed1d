/** `A`, `B` … `Z`, `AA`: what a run is called in the heads of columns. */
export function letter(index: number): string {
  return index < 26 ? String.fromCharCode(65 + index) : letter(Math.floor(index / 26) - 1) + letter(index % 26);
}
