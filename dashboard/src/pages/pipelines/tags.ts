/** Tags while they are written: rows, in which a name may be there twice or not yet. */

export interface TagRow {
  id: string;
  name: string;
  value: string;
}

export function rowsOf(tags: Record<string, string> | undefined): TagRow[] {
  return Object.entries(tags ?? {}).map(([name, value]) => ({ id: name, name, value }));
}

let made = 0;

export function emptyRow(): TagRow {
  made += 1;
  return { id: ` ${made}`, name: "", value: "" };
}

/** The tags that rows stand for, or what is wrong with them. Rows with nothing in them are none. */
export function tagsOf(rows: readonly TagRow[]): { tags: Record<string, string> } | { reason: string } {
  const tags = new Map<string, string>();
  for (const { name, value } of rows) {
    const [key, text] = [name.trim(), value.trim()];
    if (key === "" && text !== "") {
      return { reason: `The value ${text} has no tag` };
    }
    if (tags.has(key)) {
      return { reason: `The tag ${key} is there twice` };
    }
    if (key !== "") {
      tags.set(key, text);
    }
  }
  return { tags: Object.fromEntries(tags) };
}
