import { infiniteQueryOptions } from "@tanstack/react-query";
import { ask, url } from "./http";
import type { Artifact } from "./penstock";

const path = (id: string) => `apis/penstock/v1/artifacts/${encodeURIComponent(id)}`;

export interface ArtifactsAsked {
  namespace?: string;
  run_id?: string;
  type?: string;
  name?: string;
  uri?: string;
  digest?: string;
  pipeline?: string;
  task?: string;
  created_after?: string;
  created_before?: string;
  metadata?: string;
}

interface ArtifactPage {
  artifacts?: Artifact[];
  next_page_token?: string;
  total_size?: number;
}

export function artifactsQuery(asked: ArtifactsAsked) {
  return infiniteQueryOptions({
    queryKey: ["artifacts", asked],
    queryFn: ({ pageParam, signal }) =>
      ask<ArtifactPage>("apis/penstock/v1/artifacts", {
        query: { ...asked, page_size: 100, page_token: pageParam },
        signal,
      }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_page_token || undefined,
  });
}

/** Where the bytes are. */
export const contentUrl = (id: string, query: { path?: string; download?: boolean; display?: "html" } = {}) =>
  url(`${path(id)}/content`, query);

/** The first bytes of an artifact, and whether there are more. */
export async function head(
  id: string,
  limit: number,
  query: { path?: string } = {},
  signal?: AbortSignal,
): Promise<{ bytes: Uint8Array; type: string; isWhole: boolean }> {
  const init: RequestInit = { headers: { range: `bytes=0-${limit - 1}` } };
  if (signal) {
    init.signal = signal;
  }
  const response = await fetch(contentUrl(id, query), init);
  // An empty object has no range that can be met.
  if (response.status === 416) {
    return { bytes: new Uint8Array(), type: "", isWhole: true };
  }
  if (!response.ok) {
    throw new Error(`The artifact's content was refused: ${response.status} ${(await response.text()).slice(0, 500)}`);
  }
  const whole = Number(response.headers.get("content-range")?.split("/")[1] ?? Number.NaN);
  const bytes = new Uint8Array(await response.arrayBuffer());
  return {
    bytes,
    type: response.headers.get("content-type") ?? "",
    isWhole: !(whole > bytes.length),
  };
}
