// Drives all methods of the published catalog client, unmodified, against a portal.
//
//   PORTICO_TOKEN=… node catalog_client.mjs FOLDER_WITH_NODE_MODULES PORTAL ADDRESS_OF_A_FILE ADDRESS_OF_ANOTHER
//
// The first file describes a Component `first` of group `conformance`, the Group itself, and five more Components;
// the second a Component `second`.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import path from 'node:path';

const [folder, portal, first, second] = process.argv.slice(2);
const require = createRequire(path.resolve(folder, 'x.js'));
const { CatalogClient } = require('@backstage/catalog-client');

const called = new Set();
const discoveryApi = { getBaseUrl: async id => `${portal}/api/${id}` };
const client = new Proxy(new CatalogClient({ discoveryApi, fetchApi: { fetch } }), {
  get(target, name) {
    const value = target[name];
    if (typeof value !== 'function') return value;
    called.add(name);
    return value.bind(target);
  },
});
const token = { token: process.env.PORTICO_TOKEN };
const names = entities => entities.map(entity => entity?.metadata?.name ?? null);
const ours = { kind: 'Component', 'relations.ownedBy': 'group:default/conformance' };
const rejected = async (promise, name) => assert.rejects(promise, error => {
  assert.equal(error.name, 'ResponseError', String(error));
  assert.equal(error.cause.name, name, String(error));
  return true;
});

// Locations.
const dry = await client.addLocation({ type: 'url', target: first, dryRun: true }, token);
assert.equal(dry.exists, false);
assert.equal(dry.location.id, `url:${first}`);
assert.equal(dry.entities.length, 8, 'the location, the group and six components');
assert.equal(await client.getLocationByRef(`url:${first}`, token), undefined);
const added = await client.addLocation({ type: 'url', target: first }, token);
assert.deepEqual([added.location.type, added.location.target], ['url', first]);
assert.match(added.location.entityRef, /^location:default\/generated-[0-9a-f]{40}$/);
await rejected(client.addLocation({ type: 'url', target: first }, token), 'ConflictError');
assert.equal((await client.addLocation({ type: 'url', target: first, onConflict: 'refresh' }, token)).location.id, added.location.id);
await rejected(client.addLocation({ type: 'file', target: '/etc/passwd' }, token), 'InputError');
const { id } = added.location;
assert.deepEqual(await client.getLocationById(id, token), added.location);
assert.equal(await client.getLocationById('00000000-0000-0000-0000-000000000000', token), undefined);
assert.deepEqual(await client.getLocationByRef(`url:${first}`, token), added.location);
assert.deepEqual(await client.getLocationByEntity('component:default/first', token), added.location);
assert.ok((await client.getLocations({}, token)).items.some(location => location.id === id));
const page = await client.queryLocations({ limit: 1, query: { target: first } }, token);
assert.deepEqual([page.totalItems, page.items], [1, [added.location]]);
const streamed = [];
for await (const locations of client.streamLocations({}, token)) streamed.push(...locations);
assert.ok(streamed.some(location => location.id === id));

// Entities.
const all = await client.getEntities({ filter: ours, fields: ['metadata.name', 'kind'], order: { field: 'metadata.name', order: 'desc' } }, token);
assert.deepEqual(names(all.items), ['first', 'e', 'd', 'c', 'b', 'a']);
assert.deepEqual(Object.keys(all.items[0]).sort(), ['kind', 'metadata']);
const some = await client.getEntities({ filter: [{ ...ours, 'spec.type': ['website', 'library'] }, { kind: 'Group', 'metadata.name': 'conformance' }], limit: 2, offset: 1, order: [{ field: 'kind', order: 'asc' }, { field: 'metadata.name', order: 'asc' }] }, token);
assert.deepEqual(names(some.items), ['b', 'conformance']);
const entity = await client.getEntityByRef('component:default/first', token);
assert.equal(entity.metadata.annotations['backstage.io/managed-by-location'], `url:${first}`);
assert.deepEqual(entity.relations, [{ type: 'ownedBy', targetRef: 'group:default/conformance' }]);
assert.equal(await client.getEntityByRef('component:default/nobody', token), undefined);
assert.deepEqual(await client.getEntityByName({ kind: 'Component', namespace: 'default', name: 'FIRST' }, token), entity);
const batch = await client.getEntitiesByRefs({ entityRefs: ['component:default/a', 'component:default/nobody', 'group:default/conformance'], fields: ['metadata.name'], filter: { kind: ['component', 'group'] } }, token);
assert.deepEqual(batch.items, [{ metadata: { name: 'a' } }, undefined, { metadata: { name: 'conformance' } }]);
const narrowed = await client.getEntitiesByRefs({ entityRefs: ['component:default/a', 'group:default/conformance'], query: { kind: 'group' } }, token);
assert.deepEqual(names(narrowed.items), [null, 'conformance']);
const ancestry = await client.getEntityAncestors({ entityRef: 'component:default/first' }, token);
assert.equal(ancestry.rootEntityRef, 'component:default/first');
assert.deepEqual(ancestry.items.map(item => item.entity.kind), ['Component', 'Location']);
assert.deepEqual(ancestry.items[0].parentEntityRefs, [added.location.entityRef]);

// Queries, forth and back, by filter and by predicate.
const walk = async request => {
  const seen = [];
  let answer = await client.queryEntities(request, token);
  assert.equal(answer.totalItems, 6);
  for (;;) {
    seen.push(names(answer.items));
    const cursor = answer.pageInfo.nextCursor;
    if (!cursor) break;
    answer = await client.queryEntities({ cursor, limit: request.limit }, token);
  }
  const back = await client.queryEntities({ cursor: answer.pageInfo.prevCursor, limit: request.limit }, token);
  assert.deepEqual(names(back.items), seen.at(-2));
  return seen;
};
const orderFields = { field: 'metadata.name', order: 'asc' };
const pages = [['a', 'b', 'c', 'd'], ['e', 'first']];
assert.deepEqual(await walk({ filter: ours, orderFields, limit: 4 }), pages);
const predicate = { $all: [{ kind: 'component' }, { relations: { $contains: { type: 'ownedBy', targetRef: 'group:default/conformance' } } }] };
assert.deepEqual(await walk({ query: predicate, orderFields, limit: 4 }), pages);
const text = await client.queryEntities({ filter: ours, fullTextFilter: { term: 'FIR', fields: ['metadata.name', 'metadata.title'] } }, token);
assert.deepEqual(names(text.items), ['first']);
await rejected(client.queryEntities({ query: { $nope: [] } }, token), 'InputError');
await rejected(client.queryEntities({ cursor: 'made up' }, token), 'InputError');
const found = [];
for await (const entities of client.streamEntities({ filter: ours, pageSize: 2 }, token)) found.push(...names(entities));
assert.deepEqual(found.sort(), ['a', 'b', 'c', 'd', 'e', 'first']);

// Facets.
const facets = { 'spec.type': [{ value: 'library', count: 1 }, { value: 'service', count: 4 }, { value: 'website', count: 1 }], kind: [{ value: 'Component', count: 6 }] };
assert.deepEqual((await client.getEntityFacets({ facets: ['spec.type', 'kind'], filter: ours }, token)).facets, facets);
assert.deepEqual((await client.getEntityFacets({ facets: ['spec.type', 'kind'], query: predicate }, token)).facets, facets);

// Checks.
const valid = { apiVersion: 'backstage.io/v1alpha1', kind: 'User', metadata: { name: 'jo' }, spec: { memberOf: [] } };
assert.deepEqual(await client.validateEntity(valid, 'url:https://example.com/a.yaml', token), { valid: true });
const verdict = await client.validateEntity({ ...valid, spec: {} }, 'url:https://example.com/a.yaml', token);
assert.equal(verdict.valid, false);
assert.match(verdict.errors[0].message, /memberOf/);
const analysis = await client.analyzeLocation({ location: { type: 'url', target: first }, catalogFilename: path.basename(first) }, token);
assert.ok(analysis.existingEntityFiles.some(file => file.entity.name === 'first' && file.isRegistered && file.location.target.endsWith(path.basename(first))));
assert.deepEqual(analysis.generateEntities, []);
const proposal = await client.analyzeLocation({ location: { type: 'url', target: first }, catalogFilename: 'not-there.yaml' }, token);
assert.equal(proposal.generateEntities[0].entity.kind, 'Component');

// Changes.
await client.refreshEntity('component:default/first', token);
await rejected(client.refreshEntity('component:default/nobody', token), 'NotFoundError');
await client.removeEntityByUid(entity.metadata.uid, token);
const comesBack = async name => {
  for (let tries = 0; tries < 100; tries++) {
    const back = await client.getEntityByRef(`component:default/${name}`, token);
    if (back) return back;
    await new Promise(resolve => setTimeout(resolve, 100));
  }
  return assert.fail(`${name} does not come back`);
};
await comesBack('first');
const moved = await client.updateLocation(id, { type: 'url', target: second }, token);
assert.deepEqual([moved.id, moved.target], [id, second]);
await comesBack('second');
await client.removeLocationById(id, token);
assert.equal(await client.getEntityByRef('component:default/second', token), undefined);
await rejected(client.removeLocationById(id, token), 'NotFoundError');
await rejected(client.getEntities({}), 'AuthenticationError');
await rejected(client.getEntities({}, { token: 'made up' }), 'AuthenticationError');

const internal = ['constructor', 'requestIgnored', 'requestRequired', 'requestOptional', 'queryEntitiesByPredicate', 'getEntityFacetsByPredicate', 'getFilterValue'];
const methods = Object.getOwnPropertyNames(CatalogClient.prototype).filter(name => !internal.includes(name) && !/^#/.test(name));
const missing = methods.filter(name => !called.has(name));
assert.deepEqual(missing, [], 'every method was called');
console.log(`${methods.length} methods`);
