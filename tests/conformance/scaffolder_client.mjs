// Drives all methods of the published scaffolder client, unmodified, against a portal.
//
//   PORTICO_TOKEN=… node scaffolder_client.mjs FOLDER_WITH_NODE_MODULES PORTAL HOST_OF_THE_FORGE OWNER_OF_ITS_REPOSITORIES
//
// The catalog has the template `conformance` (parameter `name`; steps `log`, `wait` when `wait` is true, and `fail`
// when `fail` is true), and OWNER a repository `conformance`.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import path from 'node:path';

// What fetch-event-source asks of a browser.
globalThis.window = globalThis;
globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };

const [folder, portal, host, owner] = process.argv.slice(2);
const require = createRequire(path.resolve(folder, 'x.js'));
const { ScaffolderClient } = require('@backstage/plugin-scaffolder-common');

const token = { token: process.env.PORTICO_TOKEN };
const none = { list: () => [] };
const integrations = { gitea: { list: () => [{ type: 'gitea', title: host, config: { host } }] } };
const options = {
  discoveryApi: { getBaseUrl: async id => `${portal}/api/${id}` },
  // The event stream takes no token of its own.
  fetchApi: { fetch: (url, init = {}) => {
    const headers = new Headers(init.headers);
    if (!headers.has('authorization')) headers.set('authorization', `Bearer ${token.token}`);
    return fetch(url, { ...init, headers });
  } },
  scmIntegrationsApi: new Proxy(integrations, { get: (known, name) => known[name] ?? none }),
  identityApi: { getBackstageIdentity: async () => ({ userEntityRef: 'external:tests' }) },
};
const called = new Set();
const watched = client => new Proxy(client, {
  get(target, name) {
    const value = target[name];
    if (typeof value !== 'function') return value;
    called.add(name);
    return value.bind(target);
  },
});
const client = watched(new ScaffolderClient(options));
const polling = watched(new ScaffolderClient({ ...options, useLongPollingLogs: true }));
const templateRef = 'template:default/conformance';
const follow = (client, request) => new Promise((resolve, reject) => {
  const events = [];
  client.streamLogs(request, token).subscribe({ next: event => events.push(event), error: reject, complete: () => resolve(events) });
});
const rejected = async (promise, name) => assert.rejects(promise, error => {
  assert.equal(error.name, 'ResponseError', String(error));
  assert.equal(error.cause.name, name, String(error));
  return true;
});
const until = async (taskId, status) => {
  for (let tries = 0; tries < 300; tries++) {
    const task = await client.getTask(taskId, token);
    if (task.status === status) return task;
    await new Promise(resolve => setTimeout(resolve, 100));
  }
  return assert.fail(`task ${taskId} does not become ${status}`);
};

// What there is.
const schema = await client.getTemplateParameterSchema(templateRef, token);
assert.equal(schema.title, 'Conformance');
assert.equal(schema.steps[0].title, 'One page');
assert.deepEqual(schema.steps[0].schema.required, ['name']);
await rejected(client.getTemplateParameterSchema('template:default/nobody', token), 'NotFoundError');
const actions = await client.listActions(token);
const ids = actions.map(action => action.id);
assert.deepEqual(ids, [...ids].sort());
for (const action of actions) {
  assert.ok(action.description && action.schema.input.type === 'object' && action.schema.output, action.id);
}
assert.ok(actions.find(action => action.id === 'fetch:template').examples[0].example.includes('action: fetch:template'));
const extensions = await client.listTemplatingExtensions(token);
assert.deepEqual(Object.keys(extensions.filters).sort(), ['parseEntityRef', 'parseRepoUrl', 'pick', 'projectSlug']);
assert.deepEqual(extensions.globals, { functions: {}, values: {} });
const list = await client.getIntegrationsList({ allowedHosts: [host] });
assert.deepEqual(list.integrations, [{ type: 'gitea', title: host, host }]);
const names = await client.autocomplete({ token: '', provider: 'gitea', resource: 'repositories', context: { host, owner } }, token);
assert.ok(names.results.some(result => result.id === 'conformance'), JSON.stringify(names));
await rejected(client.autocomplete({ token: '', provider: 'sourceforge', resource: 'repositories', context: {} }, token), 'InputError');

// A task, followed by both ways, and again from its middle.
await assert.rejects(client.scaffold({ templateRef, values: {} }, token), /name is required/);
const { taskId } = await client.scaffold({ templateRef, values: { name: 'demo' }, secrets: { word: 'a-secret-word' } }, token);
const events = await follow(client, { taskId });
assert.deepEqual(events.map(event => event.id), events.map((_, index) => index + 1), 'without gap or repetition');
const completion = events.at(-1);
assert.deepEqual([completion.type, completion.taskId, completion.body.message], ['completion', taskId, 'Run completed with status: completed']);
assert.deepEqual(completion.body.output, { greeting: 'hello demo' });
const messages = events.filter(event => event.body.stepId === 'log').map(event => [event.body.message, event.body.status]);
assert.deepEqual([messages[0], messages.at(-1)], [['Beginning step Say hello', 'processing'], ['Finished step Say hello', 'completed']]);
assert.ok(messages.some(([text]) => text.includes('hello demo ***')) && !JSON.stringify(events).includes('a-secret-word'));
assert.deepEqual(await follow(polling, { taskId }), events);
assert.deepEqual(await follow(client, { taskId, after: events.at(2).id }), events.slice(3));
const task = await client.getTask(taskId, token);
assert.equal(task.status, 'completed');
assert.equal(task.spec.templateInfo.entityRef, templateRef);
assert.deepEqual(task.spec.parameters, { name: 'demo' });
assert.ok(!('secrets' in task));
await rejected(client.getTask('00000000-0000-0000-0000-000000000000', token), 'NotFoundError');

// Cancelled in a step, and tried again.
const waiting = (await client.scaffold({ templateRef, values: { name: 'wait', wait: true } }, token)).taskId;
await until(waiting, 'processing');
await rejected(client.retry(waiting, token), 'ConflictError');
const followed = follow(client, { taskId: waiting });
assert.deepEqual(await client.cancelTask(waiting, token), { status: 'cancelled' });
assert.equal((await followed).at(-1).type, 'completion');
await until(waiting, 'cancelled');
const failing = (await client.scaffold({ templateRef, values: { name: 'fail', fail: true } }, token)).taskId;
await until(failing, 'failed');
const failed = (await follow(client, { taskId: failing })).at(-1);
assert.equal(failed.body.message, 'Run completed with status: failed');
assert.match(failed.body.error.message, /nowhere/);
assert.deepEqual(await client.retry(failing, token), { id: failing });
assert.ok((await follow(polling, { taskId: failing })).some(event => event.type === 'recovered'));

// Lists.
const all = await client.listTasks({ filterByOwnership: 'all' }, token);
assert.equal(all.totalTasks, 3);
assert.deepEqual(all.tasks.map(task => task.id), [failing, waiting, taskId], 'newest first');
const owned = await client.listTasks({ filterByOwnership: 'owned', limit: 1, offset: 1 }, token);
assert.deepEqual([owned.totalTasks, owned.tasks.map(task => task.id)], [3, [waiting]]);

// A dry run: files beside the template, an action that is left out, a secret.
const step = (id, action, input) => ({ id, action, input });
const template = {
  apiVersion: 'scaffolder.backstage.io/v1beta3', kind: 'Template', metadata: { name: 'draft' },
  spec: {
    type: 'service', parameters: { required: ['name'], properties: { name: { type: 'string' } } },
    steps: [
      step('fetch', 'fetch:template', { url: './skeleton', values: { name: '${{ parameters.name }}' } }),
      step('publish', 'publish:gitea', { repoUrl: `${host}?repo=\${{ parameters.name }}` }),
      step('log', 'debug:log', { message: '${{ secrets.word }}' }),
    ],
    output: { remote: '${{ steps.publish.output.remoteUrl }}' },
  },
};
const base64 = text => Buffer.from(text).toString('base64');
const directoryContents = [{ path: 'skeleton/${{ values.name }}.md', base64Content: base64('# ${{ values.name }}\n') }];
const dry = await client.dryRun({ template, values: { name: 'demo' }, secrets: { word: 'a-secret-word' }, directoryContents }, token);
assert.deepEqual(dry.directoryContents, [{ path: 'demo.md', executable: false, base64Content: base64('# demo\n') }]);
assert.deepEqual(dry.output, { remote: '<example>' });
assert.deepEqual(dry.steps.map(({ id, name, action }) => [id, name, action]), template.spec.steps.map(({ id, action }) => [id, action, action]));
assert.ok(dry.log.some(({ body }) => body.stepId === 'publish' && body.status === 'skipped' && body.message === 'Skipping because publish:gitea does not support dry-run'));
assert.ok(dry.log.some(({ body }) => body.message.includes('***')) && !JSON.stringify(dry).includes('a-secret-word'));
await assert.rejects(client.dryRun({ template, values: {}, directoryContents }, token), { name: 'ResponseError' });
await rejected(client.dryRun({ template: { ...template, apiVersion: 'backstage.io/v1beta2' }, values: { name: 'demo' }, directoryContents }, token), 'InputError');
await rejected(client.dryRun({ template, values: { name: 'demo' }, directoryContents: [{ path: '../x', base64Content: '' }] }, token), 'InputError');
await rejected(client.dryRun({ template, values: { name: 'demo' }, directoryContents: [] }, token), 'InputError');
assert.equal((await client.listTasks({ filterByOwnership: 'all' }, token)).totalTasks, 3, 'a dry run is no task');

await rejected(client.listActions({ token: 'made up' }), 'AuthenticationError');

const internal = ['constructor', 'requestRequired', 'streamLogsEventStream', 'streamLogsPolling'];
const methods = Object.getOwnPropertyNames(ScaffolderClient.prototype).filter(name => !internal.includes(name));
assert.deepEqual(methods.filter(name => !called.has(name)), [], 'every method was called');
console.log(`${methods.length} methods`);
process.exit(0);
