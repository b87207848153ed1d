/**
 * Signs that turn the direction of text around (U+202E and its kin): whoever names something with one of them would turn
 * around what stands beside it, and have code look like other code. Elements keep theirs to themselves (`design/base.css`);
 * this is for texts that have no elements.
 */
const CONTROLS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** What is written from right to left, or says so. */
const TURNING = /[\u0590-\u08ff\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefc]/;

/** A text that turns nothing around behind it. */
export function isolated(text: string): string {
  return TURNING.test(text) ? `\u2068${text.replace(CONTROLS, "")}\u2069` : text;
}

/** Code with such signs written as the escapes that strings of JSON, Python and JavaScript have for them. */
export function inCode(text: string): string {
  return text.replace(CONTROLS, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
