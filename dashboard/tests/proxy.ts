/** A reverse proxy that has Penstock below a path, as an ingress does. */
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Front {
  /** Where Penstock is, with a slash at its end. */
  url: string;
  /** The server behind it; without one, answers are 502. */
  target: string | undefined;
  /** Paths that were asked for and lie elsewhere. */
  strays: string[];
  /** Paths that were asked for, below the prefix. */
  asked: string[];
  stop: () => Promise<void>;
}

/** Starts one; `headers` are set in requests that it passes on. */
export async function proxy(prefix: string, target: string, headers: Record<string, string> = {}): Promise<Front> {
  const answer = (asked: IncomingMessage, reply: ServerResponse) => {
    const path = asked.url ?? "";
    if (!path.startsWith(prefix)) {
      it.strays.push(path);
      reply.writeHead(404, { "content-type": "text/plain" }).end("another application");
      return;
    }
    it.asked.push(path.slice(prefix.length - 1));
    if (it.target === undefined) {
      reply.writeHead(502, { "content-type": "text/html" }).end("<h1>502 Bad Gateway</h1>");
      return;
    }
    const address = new URL(path.slice(prefix.length), it.target);
    const passed = request(address, { method: asked.method, headers: { ...asked.headers, ...headers } }, (answered) => {
      reply.writeHead(answered.statusCode ?? 502, answered.headers);
      // What comes slowly is passed on as it comes.
      reply.flushHeaders();
      answered.pipe(reply);
      answered.once("error", () => reply.destroy());
    });
    passed.once("error", () => {
      if (reply.headersSent) {
        reply.destroy();
      } else {
        reply.writeHead(502, { "content-type": "text/html" }).end("<h1>502 Bad Gateway</h1>");
      }
    });
    reply.once("close", () => passed.destroy());
    asked.pipe(passed);
  };
  const server = createServer(answer);
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  const it: Front = {
    url: `http://127.0.0.1:${port}${prefix}`,
    target,
    strays: [],
    asked: [],
    stop: () =>
      new Promise((stopped) => {
        server.close(() => stopped());
        server.closeAllConnections();
      }),
  };
  return it;
}
