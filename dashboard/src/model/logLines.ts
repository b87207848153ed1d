/**
 * The bytes of a log and where its lines begin. Text is made of them only for what is looked at, so that a log takes
 * little more memory than its size.
 */

const BLOCK = 1 << 20;
const NEWLINE = 10;

/** Longest part of a line that is shown, in bytes. */
export const LONGEST_SHOWN = 16 << 10;
/** Bytes that are compared to find out whether a log that is read again is the same. */
export const COMPARED = 4096;

export class LogLines {
  readonly #limit: number;
  readonly #decoder = new TextDecoder();
  /** Of `BLOCK` bytes each; the first begins at `#start`. */
  #blocks: Uint8Array[] = [];
  #start = 0;
  #end = 0;
  /** Where kept lines begin. */
  #begins = new Float64Array(1024);
  #count = 0;
  #first = 0;
  #longest = 0;

  /** Keeps about `limit` bytes: of a longer log the end. */
  constructor(limit: number) {
    this.#limit = Math.max(limit, 2 * BLOCK);
  }

  /** Bytes that were received. */
  get bytes(): number {
    return this.#end;
  }

  /** Number of the first line that is kept; they count from 0. */
  get first(): number {
    return this.#first;
  }

  /** One more than the number of the last line. */
  get end(): number {
    return this.#first + this.#count;
  }

  /** Bytes of the longest line that was seen. */
  get longest(): number {
    return this.#longest;
  }

  /** Whether the last line may go on. */
  get isOpen(): boolean {
    return this.#count > 0 && this.#end > 0 && this.#byte(this.#end - 1) !== NEWLINE;
  }

  append(chunk: Uint8Array): void {
    let from = 0;
    while (from < chunk.length) {
      const at = this.#end - this.#start;
      const place = at % BLOCK;
      if (place === 0 && at / BLOCK === this.#blocks.length) {
        this.#blocks.push(new Uint8Array(BLOCK));
      }
      const part = chunk.subarray(from, from + BLOCK - place);
      this.#blocks.at(-1)?.set(part, place);
      this.#index(part);
      this.#end += part.length;
      from += part.length;
    }
    this.#drop();
  }

  /** Notes where lines begin in what is about to be at the end. */
  #index(part: Uint8Array): void {
    let isNew = this.#count === 0 || !this.isOpen;
    let at = 0;
    while (at < part.length) {
      if (isNew) {
        this.#push(this.#end + at);
      }
      const newline = part.indexOf(NEWLINE, at);
      const next = newline < 0 ? part.length : newline + 1;
      const length = this.#end + next - (this.#begins[this.#count - 1] ?? 0);
      this.#longest = Math.max(this.#longest, length);
      isNew = newline >= 0;
      at = next;
    }
  }

  #push(begin: number): void {
    if (this.#count === this.#begins.length) {
      const grown = new Float64Array(2 * this.#count);
      grown.set(this.#begins);
      this.#begins = grown;
    }
    this.#begins[this.#count] = begin;
    this.#count += 1;
  }

  /** Forgets the oldest lines of a log that is longer than is kept. */
  #drop(): void {
    const surplus = this.#blocks.length - Math.ceil(this.#limit / BLOCK);
    if (surplus <= 0) {
      return;
    }
    this.#blocks = this.#blocks.slice(surplus);
    this.#start += surplus * BLOCK;
    let gone = this.#lineAt(this.#start);
    if ((this.#begins[gone] ?? this.#start) < this.#start) {
      gone += 1;
    }
    // What is left of a line without an end is a line.
    if (gone >= this.#count) {
      gone = this.#count - 1;
      this.#begins[gone] = this.#start;
    }
    this.#begins.copyWithin(0, gone, this.#count);
    this.#count -= gone;
    this.#first += gone;
  }

  /** Place of the last line that begins at or before an offset. */
  #lineAt(offset: number): number {
    let [low, high] = [0, this.#count - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#begins[middle] ?? 0) <= offset) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  #byte(offset: number): number {
    const at = offset - this.#start;
    return this.#blocks[Math.floor(at / BLOCK)]?.[at % BLOCK] ?? 0;
  }

  /** The bytes from one offset to another, as far as they are kept. */
  slice(from: number, to: number): Uint8Array {
    const [begin, end] = [Math.max(from, this.#start), Math.min(to, this.#end)];
    const out = new Uint8Array(Math.max(0, end - begin));
    for (let at = begin; at < end; ) {
      const place = (at - this.#start) % BLOCK;
      const block = this.#blocks[Math.floor((at - this.#start) / BLOCK)] ?? new Uint8Array(BLOCK);
      const part = block.subarray(place, Math.min(BLOCK, place + end - at));
      out.set(part, at - begin);
      at += part.length;
    }
    return out;
  }

  /** The last bytes, to recognise the log by. */
  tail(): Uint8Array {
    return this.slice(this.#end - COMPARED, this.#end);
  }

  #begin(line: number): number {
    const place = line - this.#first;
    return place < this.#count ? (this.#begins[place] ?? this.#end) : this.#end;
  }

  /** A line without its end; of a very long one the beginning. */
  line(number: number): string {
    if (number < this.#first || number >= this.end) {
      return "";
    }
    const [begin, next] = [this.#begin(number), this.#begin(number + 1)];
    const isLong = next - begin > LONGEST_SHOWN;
    const text = this.#decoder.decode(this.slice(begin, isLong ? begin + LONGEST_SHOWN : next));
    return isLong ? `${text} … (${(next - begin - LONGEST_SHOWN).toLocaleString("en")} more bytes)` : withoutEnd(text);
  }

  /** Text of several lines as they are. */
  text(from: number, to: number): string {
    return this.#decoder.decode(this.slice(this.#begin(from), this.#begin(to)));
  }

  /** The line to which fewer than so many bytes lie from one on; at least one line further. */
  within(from: number, bytes: number): number {
    const place = this.#lineAt(this.#begin(from) + bytes);
    return Math.min(this.end, Math.max(from + 1, this.#first + place));
  }
}

function withoutEnd(line: string): string {
  return line.replace(/\r?\n$/, "");
}
