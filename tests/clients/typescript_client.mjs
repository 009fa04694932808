// One visit of a TypeScript MCP client: lists the tools, calls one, hears progress, cancels a call, answers a question, confirms a write; and
// another without elicitation, whose write waits. Prints what it got as one JSON object.
//
// usage: typescript_client.mjs MODULES v1|v2 REVISION http URL KEY
//        typescript_client.mjs MODULES v1|v2 REVISION stdio COMMAND [ARG ...]
//
// MODULES: the node_modules that hold @modelcontextprotocol/sdk (v1) and @modelcontextprotocol/client (v2).

import { pathToFileURL } from 'node:url';

const [modules, generation, revision, kind, ...rest] = process.argv.slice(2);
const load = (path) => import(pathToFileURL(`${modules}/@modelcontextprotocol/${path}`));
const info = { name: `typescript-${generation}`, version: '1' };
const answer = async (request) => {
  const { message } = request.params;
  const content = message.startsWith('Wardkeep asks: may writes_keep run?') ? { confirm: 'yes' } : { flavour: `plum: ${message}` };
  return { action: 'accept', content };
};
const [target, ...more] = rest;

// a connected client with its transport; `asks`: whether it can put questions to somebody
async function connect(asks) {
  let client, Http, Stdio;
  if (generation === 'v1') {
    const { Client } = await load('sdk/dist/esm/client/index.js');
    const { ElicitRequestSchema } = await load('sdk/dist/esm/types.js');
    ({ StreamableHTTPClientTransport: Http } = await load('sdk/dist/esm/client/streamableHttp.js'));
    ({ StdioClientTransport: Stdio } = await load('sdk/dist/esm/client/stdio.js'));
    client = new Client(info, { capabilities: asks ? { elicitation: {} } : {} });
    if (asks) client.setRequestHandler(ElicitRequestSchema, answer);
  } else {
    const library = await load('client/dist/index.mjs');
    Http = library.StreamableHTTPClientTransport;
    ({ StdioClientTransport: Stdio } = await load('client/dist/stdio.mjs'));
    const era = revision === '2026-07-28'
      ? { versionNegotiation: { mode: { pin: revision } } }
      : { versionNegotiation: { mode: 'legacy' }, supportedProtocolVersions: [revision] };
    client = new library.Client(info, { capabilities: asks ? { elicitation: { form: {} } } : {}, ...era });
    if (asks) client.setRequestHandler('elicitation/create', answer);
  }
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
  const call = (name, args, options) => generation === 'v1'
    ? client.callTool({ name, arguments: args }, undefined, options)
    : client.callTool({ name, arguments: args }, options);
  return { client, transport, call };
}

const { client, transport, call } = await connect(true);
const progress = [];
const onprogress = (report) => progress.push(report.progress);
const tools = await client.listTools();
const echoed = await call('fixture_echo', { text: 'grüße' });
const reported = await call('reports_report', { times: 3, steps: 10000000 }, { onprogress });
// once the endless call says so, it has begun
const enough = new AbortController();
const endless = { signal: enough.signal, onprogress: () => enough.abort() };
const cancelled = await call('waits_for_ever', {}, endless).then(() => false, () => enough.signal.aborted);
const asked = await call('asks_ask', { about: 'cake' });
const note = { root: 'tree', path: 'note.txt', text: 'kept' };
const kept = await call('writes_keep', note);
const without = await connect(false);
const waits = await without.call('writes_keep', note);
await without.client.close();
console.log(JSON.stringify({
  revision: client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion ?? null,
  tools: tools.tools.map((tool) => tool.name),
  text: echoed.content,
  isError: Boolean(echoed.isError),
  reported: reported.structuredContent,
  progress,
  cancelled,
  asked: asked.structuredContent,
  kept: !kept.isError,
  waits: { isError: Boolean(waits.isError), approval: waits._meta?.['dev.wardkeep/approval'] ?? null },
}));
await client.close();
