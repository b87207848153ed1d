/** Why a request to the server was not answered as asked. `status` is 0 when there was no answer. */
export class ApiError extends Error {
  readonly status: number;
  /** What was asked for, for people: method and path. */
  readonly request: string;

  constructor(status: number, request: string, message: string) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.request = request;
  }

  /** Whether asking again may help. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 502;
  }
}

const DEADLINE_MS = 30_000;

/** The address of a path of the API: pages may lie below any prefix, and the API lies beside them. */
export function url(path: string, query: Query = {}): string {
  const base = new URL(".", document.baseURI);
  const address = new URL(path.replace(/^\//, ""), base);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") {
      address.searchParams.set(name, String(value));
    }
  }
  return address.toString();
}

export type Query = Record<string, string | number | boolean | undefined>;

interface Asked {
  method?: "GET" | "POST" | "PATCH" | "DELETE";
  query?: Query;
  body?: unknown;
  form?: FormData;
  signal?: AbortSignal | undefined;
}

/** Asks for JSON. */
export async function ask<T>(path: string, asked: Asked = {}): Promise<T> {
  const response = await answer(path, asked);
  const text = await response.text();
  return (text === "" ? {} : JSON.parse(text)) as T;
}

/** Asks, and throws unless the answer is what was asked for. The caller reads its body. */
export async function answer(path: string, asked: Asked = {}): Promise<Response> {
  const method = asked.method ?? "GET";
  const request = `${method} ${path}`;
  const deadline = AbortSignal.timeout(asked.form ? 10 * DEADLINE_MS : DEADLINE_MS);
  const signal = asked.signal ? AbortSignal.any([asked.signal, deadline]) : deadline;
  const init: RequestInit = { method, signal, headers: { accept: "application/json" } };
  if (asked.form) {
    init.body = asked.form;
  } else if (asked.body !== undefined) {
    init.body = JSON.stringify(asked.body);
    init.headers = { accept: "application/json", "content-type": "application/json" };
  }
  let response: Response;
  try {
    response = await fetch(url(path, asked.query), init);
  } catch (error) {
    if (asked.signal?.aborted) {
      throw error;
    }
    const reason = deadline.aborted ? "it did not answer in time" : "it cannot be reached";
    throw new ApiError(0, request, `Penstock's server was asked, but ${reason}.`);
  }
  if (!response.ok) {
    throw new ApiError(response.status, request, await reasonOf(response));
  }
  return response;
}

/** What a refusal says. The API's errors have a message; a proxy's may be anything. */
async function reasonOf(response: Response): Promise<string> {
  const text = (await response.text().catch(() => "")).slice(0, 4000);
  try {
    const said = JSON.parse(text) as { message?: unknown; error_message?: unknown };
    for (const word of [said.message, said.error_message]) {
      if (typeof word === "string" && word !== "") {
        return word;
      }
    }
  } catch {
    // Not ours.
  }
  return text.startsWith("<") || text === "" ? `The server answered ${response.status} ${response.statusText}.` : text;
}
