// Asks a published Backstage catalog, loaded with the files of corpus/, every question of questions.json, and prints its
// answers as JSON.
//
//   DATABASE_URL=postgres://… node answers.mjs FOLDER_WITH_NODE_MODULES > answers.json
//
// The database server must let the account make databases. The files come from a forge of a few lines, over HTTP, as they
// come to the portal. What two runs differ in (uids, etags, stacks, ports) is left out of the answers.

import { createRequire } from 'node:module';
import http from 'node:http';
import fs from 'node:fs';
import path from 'node:path';

const here = path.dirname(new URL(import.meta.url).pathname);
const require = createRequire(path.resolve(process.argv[2], 'x.js'));
const { createBackend } = require('@backstage/backend-defaults');

const FORGE_PORT = 7198, PORT = 7199;
const forge = `http://127.0.0.1:${FORGE_PORT}`;
const target = `${forge}/team/corpus/src/branch/main/catalog-info.yaml`;
const token = 'a-token-of-this-run-only';

// Enough of Gitea for its reader: the contents of a file, and a commit.
http.createServer((request, response) => {
  const { pathname } = new URL(request.url, forge);
  const answer = (status, body) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  const file = pathname.match(/^\/api\/v1\/repos\/team\/corpus\/contents\/(.+)$/);
  if (file) {
    const at = path.join(here, 'corpus', decodeURIComponent(file[1]));
    if (!fs.existsSync(at)) return answer(404, { message: 'not found' });
    return answer(200, { encoding: 'base64', content: fs.readFileSync(at).toString('base64') });
  }
  if (/\/git\/commits\//.test(pathname)) return answer(200, { sha: 'c'.repeat(40) });
  return answer(404, { message: 'not found' });
}).listen(FORGE_PORT, '127.0.0.1');

const database = new URL(process.env.DATABASE_URL);
const config = {
  app: { baseUrl: `http://localhost:${PORT}` },
  backend: {
    baseUrl: `http://localhost:${PORT}`,
    listen: { port: PORT, host: '127.0.0.1' },
    database: { client: 'pg', connection: { host: database.hostname || database.searchParams.get('host'), port: Number(database.port || database.searchParams.get('port') || 5432), user: decodeURIComponent(database.username), password: decodeURIComponent(database.password) || 'none' }, prefix: `answers_${process.pid}_` },
    auth: { externalAccess: [{ type: 'static', options: { token, subject: 'conformance' } }] },
  },
  integrations: { gitea: [{ host: `127.0.0.1:${FORGE_PORT}`, baseUrl: forge }] },
  catalog: {
    processingInterval: { hours: 1 },
    rules: [{ allow: ['Component', 'API', 'Resource', 'System', 'Domain', 'Group', 'User', 'Location', 'Template'] }],
  },
};
const configFile = path.join(fs.mkdtempSync('/tmp/answers-'), 'app-config.json');
fs.writeFileSync(configFile, JSON.stringify(config));
process.argv.push('--config', configFile);
const log = process.stdout.write.bind(process.stdout);
process.stdout.write = process.stderr.write.bind(process.stderr);

const backend = createBackend();
for (const plugin of ['@backstage/plugin-catalog-backend', '@backstage/plugin-catalog-backend-module-scaffolder-entity-model', '@backstage/plugin-catalog-backend-module-openapi']) {
  backend.add(Promise.resolve(require(plugin)));
}
await backend.start();

const base = `http://127.0.0.1:${PORT}/api/catalog`;
async function ask(method, url, body) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const response = await fetch(base + url, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await response.text();
  return { status: response.status, body: text ? JSON.parse(text) : null, link: response.headers.get('link') };
}
const pause = time => new Promise(resolve => setTimeout(resolve, time));

const made = await ask('POST', '/locations', { type: 'url', target });
if (made.status !== 201) throw new Error(JSON.stringify(made));
// Until nothing changes any more for some seconds.
let before = '', same = 0;
for (let tries = 0; tries < 120 && same < 8; tries++) {
  await pause(1000);
  const now = JSON.stringify((await ask('GET', '/entities')).body);
  same = now === before && now.length > 100 ? same + 1 : 0;
  before = now;
}

// Without what differs between two runs and between two programs on purpose.
function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'string') return value.replaceAll(forge, 'https://forge.test').replace(/generated-[0-9a-f]{40}/g, 'generated');
  if (!value || typeof value !== 'object') return value;
  const rest = Object.entries(value).filter(([key]) => !['uid', 'etag', 'stack', 'nextCursor', 'prevCursor'].includes(key));
  return Object.fromEntries(rest.map(([key, inner]) => [key, plain(inner)]));
}

// Errors by their name; the words are each program's own. Status items by their number.
function answer({ status, body }) {
  if (status >= 400) return { status, error: body?.error?.name ?? (body?.errors ? 'errors' : null) };
  return { status, body: plain(body) };
}

const pages = ({ body }) => ({ items: body.items, totalItems: body.totalItems, cursors: Object.keys(body.pageInfo).sort() });
async function follow({ method, url, body, walk }) {
  const steps = [];
  let page = await ask(method, url, body);
  if (page.status >= 400) return [answer(page)];
  for (const direction of walk) {
    steps.push(plain(pages(page)));
    const cursor = page.body.pageInfo[direction === '>' ? 'nextCursor' : 'prevCursor'];
    if (!cursor) break;
    const [address, query] = url.split('?');
    const asked = new URLSearchParams(query);
    page = method === 'GET'
      ? await ask('GET', `${address}?${new URLSearchParams({ cursor, limit: asked.get('limit'), fields: asked.get('fields') })}`)
      : await ask('POST', url, { cursor, limit: body.limit, fields: body.fields });
  }
  steps.push(plain(pages(page)));
  return steps;
}
async function links({ url }) {
  const steps = [];
  for (let next = url; next; ) {
    const page = await ask('GET', next);
    steps.push(plain(page.body));
    next = page.link?.match(/<(?:\/api\/catalog)?([^>]+)>; rel="next"/)?.[1].replace(/^.*\/entities/, '/entities');
  }
  return steps;
}

const answers = [];
for (const question of JSON.parse(fs.readFileSync(path.join(here, 'questions.json')))) {
  const { method = 'GET', url, body } = question;
  let found;
  if (question.walk) found = { pages: await follow({ method, ...question }) };
  else if (question.links) found = { pages: await links(question) };
  else found = answer(await ask(method, url, body));
  answers.push(JSON.stringify({ ...question, answer: found }));
}
log(`[\n${answers.join(',\n')}\n]\n`);
process.exit(0);
