// The Node.js proxy: the plain http module with an agent that keeps connections, a process per core. No log, no limit.
//
// Arguments: port, upstream address, a file with a line `authorization<TAB>connection<TAB>credential` for each.

import cluster from "node:cluster";
import { readFileSync } from "node:fs";
import http from "node:http";
import os from "node:os";

const [port, upstream, map] = process.argv.slice(2);
const cores = os.availableParallelism();

if (cluster.isPrimary && cores > 1) {
  for (let core = 0; core < cores; core += 1) cluster.fork();
  process.on("SIGTERM", () => process.exit(0));
} else {
  serve();
}

function serve() {
  const credentials = new Map();
  for (const line of readFileSync(map, "utf8").split("\n")) {
    const [caller, connection, credential] = line.split("\t");
    if (credential) credentials.set(`${caller}\t${connection}`, credential);
  }
  const [host, upstreamPort] = upstream.split(":");
  const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 1024 });
  const server = http.createServer((request, answer) => {
    const { authorization, "bu-connection-id": connection, ...headers } = request.headers;
    const credential = credentials.get(`${authorization}\t${connection}`);
    if (credential === undefined) {
      answer.writeHead(401).end();
      return;
    }
    delete headers.connection;
    headers.authorization = credential;
    headers.host = upstream;
    const out = http.request({ host, port: upstreamPort, path: request.url, method: request.method, headers, agent }, (back) => {
      const { connection: _hop, "keep-alive": _too, ...kept } = back.headers;
      answer.writeHead(back.statusCode, kept);
      back.pipe(answer);
    });
    out.on("error", () => (answer.headersSent ? answer.destroy() : answer.writeHead(502).end()));
    answer.on("close", () => out.destroy());
    request.pipe(out);
  });
  server.keepAliveTimeout = 0;
  server.requestTimeout = 0;
  server.listen({ port: Number(port), host: "127.0.0.1", backlog: 1024 });
  process.on("SIGTERM", () => process.exit(0));
}
