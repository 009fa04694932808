// One visit of a TypeScript MCP client: lists the tools, calls one, hears progress, cancels a call, answers a question; prints what it got
// as one JSON object.
//
// usage: typescript_client.mjs MODULES v1|v2 REVISION http URL KEY
//        typescript_client.mjs MODULES v1|v2 REVISION stdio COMMAND [ARG ...]
//
// MODULES: the node_modules that hold @modelcontextprotocol/sdk (v1) and @modelcontextprotocol/client (v2).

import { pathToFileURL } from 'node:url';

const [modules, generation, revision, kind, ...rest] = process.argv.slice(2);
const load = (path) => import(pathToFileURL(`${modules}/@modelcontextprotocol/${path}`));
const info = { name: `typescript-${generation}`, version: '1' };
const answer = async (request) => ({ action: 'accept', content: { flavour: `plum: ${request.params.message}` } });

let client, Http, Stdio;
if (generation === 'v1') {
  const { Client } = await load('sdk/dist/esm/client/index.js');
  const { ElicitRequestSchema } = await load('sdk/dist/esm/types.js');
  ({ StreamableHTTPClientTransport: Http } = await load('sdk/dist/esm/client/streamableHttp.js'));
  ({ StdioClientTransport: Stdio } = await load('sdk/dist/esm/client/stdio.js'));
  client = new Client(info, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, answer);
} else {
  const library = await load('client/dist/index.mjs');
  Http = library.StreamableHTTPClientTransport;
  ({ StdioClientTransport: Stdio } = await load('client/dist/stdio.mjs'));
  const era = revision === '2026-07-28'
    ? { versionNegotiation: { mode: { pin: revision } } }
    : { versionNegotiation: { mode: 'legacy' }, supportedProtocolVersions: [revision] };
  client = new library.Client(info, { capabilities: { elicitation: { form: {} } }, ...era });
  client.setRequestHandler('elicitation/create', answer);
}

const [target, ...more] = rest;
const transport = kind === 'http'
  ? new Http(new URL(target), { requestInit: { headers: { authorization: `Bearer ${more[0]}` } } })
  : new Stdio({ command: target, args: more });
if (generation === 'v1') {
  // it asks for the newest revision that it knows and has no way to be told another
  const send = transport.send.bind(transport);
  transport.send = (message, options) => {
    if (message.method === 'initialize') message.params.protocolVersion = revision;
    return send(message, options);
  };
}
await client.connect(transport);

const progress = [];
const onprogress = (report) => progress.push(report.progress);
const call = (name, args, options) => generation === 'v1'
  ? client.callTool({ name, arguments: args }, undefined, options)
  : client.callTool({ name, arguments: args }, options);
const tools = await client.listTools();
const echoed = await call('fixture_echo', { text: 'grüße' });
const reported = await call('reports_report', { times: 3, steps: 10000000 }, { onprogress });
// once the endless call says so, it has begun
const enough = new AbortController();
const endless = { signal: enough.signal, onprogress: () => enough.abort() };
const cancelled = await call('waits_for_ever', {}, endless).then(() => false, () => enough.signal.aborted);
const asked = await call('asks_ask', { about: 'cake' });
console.log(JSON.stringify({
  revision: client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion ?? null,
  tools: tools.tools.map((tool) => tool.name),
  text: echoed.content,
  isError: Boolean(echoed.isError),
  reported: reported.structuredContent,
  progress,
  cancelled,
  asked: asked.structuredContent,
}));
await client.close();
