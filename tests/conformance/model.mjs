// Asks the published validators of the field about a corpus of entities and prints their verdicts as JSON.
//
//   node model.mjs FOLDER_WITH_NODE_MODULES > model.json
//
// The corpus: for each kind one entity that is right, then changes of it: `value` at the path `at`, or nothing there. What the catalog of the field does with
// an entity: the policies of @backstage/catalog-model, the validator of the kind, and a ref parsed in each field
// that makes a relation. Then texts, and what they are as refs.

import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(path.resolve(process.argv[2], 'x.js'));
const model = require('@backstage/catalog-model');
const { templateEntityV1beta3Validator } = require('@backstage/plugin-scaffolder-common');

const ABSENT = Symbol('absent');
const long = n => 'x'.repeat(n);

const bases = {
  Component: { type: 'service', lifecycle: 'production', owner: 'team-a', system: 'shop', subcomponentOf: 'big', providesApis: ['a'], consumesApis: ['ns/b'], dependsOn: ['resource:db'], dependencyOf: ['component:x'] },
  API: { type: 'openapi', lifecycle: 'production', owner: 'team-a', definition: 'openapi: 3.1.0', system: 'shop' },
  Resource: { type: 'database', owner: 'team-a', system: 'shop', dependsOn: ['component:x'], dependencyOf: ['component:y'] },
  System: { owner: 'team-a', domain: 'retail', type: 'product' },
  Domain: { owner: 'team-a', subdomainOf: 'all', type: 'bundle' },
  Group: { type: 'team', children: ['b'], parent: 'a', members: ['jo'], profile: { displayName: 'A', email: 'a@example.com', picture: 'https://example.com/a.png' } },
  User: { memberOf: ['team-a'], profile: { displayName: 'Jo' } },
  Location: { type: 'url', target: './a.yaml', targets: ['./b.yaml'], presence: 'optional' },
  Template: { type: 'service', owner: 'team-a', lifecycle: 'production', parameters: [{ title: 'A', properties: { name: { type: 'string' } } }], steps: [{ id: 'a', name: 'A', action: 'debug:log', input: {}, if: true }], output: { links: [{ title: 'a', url: 'https://example.com' }], text: [{ title: 'a', content: 'b' }] }, presentation: { buttonLabels: { backButtonText: 'a' } }, EXPERIMENTAL_recovery: { EXPERIMENTAL_strategy: 'none' } },
};

const anything = [ABSENT, null, '', ' ', 'text', 'a b', 0, true, [], ['a'], [''], [' '], [null], [1], {}, { a: 1 }, 'user:jo', 'a:b:c', ':a', 'a:', 'a/', '/a', 'a/b', 'a:b/c', 'a/b:c', 'component:x', 'GROUP:Ns/Name', long(300)];
const lists = [['a:'], ['x', 'resource:y'], ['resource:b', 'resource:a'], ['resource:ns/a:b'], ['/a'], [':'], ['a:b'], [['a']]];

function* changes(kind, spec) {
  yield [];
  for (const field of Object.keys(spec)) {
    for (const value of anything) yield [['spec', field], value];
    if (Array.isArray(spec[field])) for (const value of lists) yield [['spec', field], value];
  }
  for (const value of ['none', 'mcp-server', 'openapi']) yield [['spec', 'type'], value];
  yield [['spec', 'unknown'], { kept: [1, null] }];
  for (const value of [ABSENT, null, [], 'text', {}]) yield [['spec'], value];
  for (const value of ['backstage.io/v1alpha1', 'backstage.io/v1beta1', 'backstage.io/v1', 'scaffolder.backstage.io/v1beta3', 'v1', 'my.co/v1']) yield [['apiVersion'], value];
  for (const value of [kind.toLowerCase(), kind.toUpperCase(), `${kind}s`, 'AiResource', 'Widget']) yield [['kind'], value];
  for (const key of ['displayName', 'email', 'picture', 'unknown']) if (spec.profile) for (const value of ['', ' ', null, 1, 'a']) yield [['spec', 'profile', key], value];
  if (kind === 'Location') for (const value of ['required', 'Required', 'maybe']) yield [['spec', 'presence'], value];
  if (kind === 'Template') {
    for (const value of [{}, { action: '' }, { action: 'a', if: 1 }, { action: 'a', if: 'x' }, { action: 'a', id: 1 }, { action: 'a', input: [] }, { action: 'a', unknown: 1 }, { action: 'a', each: 'x' }, { action: 'a', 'backstage:permissions': { tags: ['a'] } }, { action: 'a', 'backstage:permissions': { tags: [1] } }]) yield [['spec', 'steps'], [value]];
    for (const value of [{ links: [{}] }, { links: [{ url: '' }] }, { links: {} }, { links: [{ entityRef: 'a' }] }, { text: [{}] }, { text: {} }, { unknown: 1 }, { links: [{ url: 'a', icon: 1 }] }]) yield [['spec', 'output'], value];
    for (const value of [{}, { buttonLabels: 1 }, { buttonLabels: { backButtonText: 1 } }, { unknown: 1 }]) yield [['spec', 'presentation'], value];
  }
}

function* envelopes() {
  for (const value of [ABSENT, null, '', 'a', 'A', '1', 'a-b', 'a_b', 'a.b', '-a', 'a-', '.a', 'a.', '_a', 'a b', 'a/b', 'a:b', 'ä', 'a\n', long(63), long(64), 1, true, [], {}]) yield [['metadata', 'name'], value];
  for (const value of [ABSENT, null, '', 'a', 'A', 'a-b', 'a--b', '-a', 'a-', 'a.b', 'a_b', long(63), long(64), 1, []]) yield [['metadata', 'namespace'], value];
  for (const value of [ABSENT, null, '', ' ', 'A title', 1, long(1000), []]) {
    yield [['metadata', 'title'], value];
    yield [['metadata', 'description'], value];
    yield [['metadata', 'uid'], value];
    yield [['metadata', 'etag'], value];
  }
  for (const key of ['a', 'A', 'a.b', 'a_b', 'a/b', 'a.b/c', 'A.b/c', 'a..b/c', '-a/c', 'a/b/c', '/a', 'a/', 'a b', '', 'ä', `${long(63)}/a`, `${long(64)}/a`, `a/${long(63)}`, `a/${long(64)}`, `${`${long(61)}.`.repeat(4)}com/a`, `${`${long(63)}.`.repeat(4)}com/a`]) {
    yield [['metadata', 'labels'], { [key]: 'x' }];
    yield [['metadata', 'annotations'], { [key]: 'x' }];
  }
  for (const value of ['', 'a', 'a b', ' ', '-a', 'a/b', 'a:b', long(63), long(64), 1, true, null, [], {}]) {
    yield [['metadata', 'labels'], { a: value }];
    yield [['metadata', 'annotations'], { a: value }];
  }
  for (const value of [null, [], 'a', {}, 1]) {
    yield [['metadata', 'labels'], value];
    yield [['metadata', 'annotations'], value];
    yield [['metadata', 'tags'], value];
    yield [['metadata', 'links'], value];
  }
  for (const value of ['java', 'Java', 'c++', 'c#', 'a:b', 'a-b', 'a--b', '-a', 'a-', 'a_b', 'a.b', 'a b', '', ' ', long(63), long(64), 1, null, 'ä']) yield [['metadata', 'tags'], [value]];
  for (const value of [{}, { url: 'https://a.b' }, { url: 'nope' }, { url: '' }, { url: '/a' }, { url: 'mailto:a@b' }, { url: 'javascript:alert(1)' }, { url: 'https://' }, { url: 'http://a b' }, { url: 1 }, { url: 'https://a', title: '' }, { url: 'https://a', title: ' ' }, { url: 'https://a', title: 'A' }, { url: 'https://a', title: 1 }, { url: 'https://a', icon: '' }, { url: 'https://a', icon: ' ' }, { url: 'https://a', icon: 'docs' }, { url: 'https://a', icon: 'a b' }, { url: 'https://a', type: '' }, { url: 'https://a', type: ' ' }, { url: 'https://a', type: 1 }, { url: 'https://a', type: 'x' }, { url: 'https://a', unknown: {} }, 'https://a', null, []]) yield [['metadata', 'links'], [value]];
  for (const value of ['v1', 'backstage.io', '', ' ', '/v1', 'a/', 'a/b/c', 'a_b/v1', 'A.b/v1', null, 1, ABSENT]) yield [['apiVersion'], value];
  for (const value of ['', ' ', 'Comp onent', 'Comp-onent', '1Component', null, 1, ABSENT, long(64)]) yield [['kind'], value];
  for (const key of ['relations', 'status', 'unknown', 'Spec']) for (const value of [null, [], {}, { items: [] }, 'a']) yield [[key], value];
  yield [['metadata'], ABSENT];
  yield [['metadata'], null];
  yield [['metadata'], []];
  yield [['metadata', 'unknown'], { any: [1] }];
  yield [['metadata', 'Title'], 'x'];
}

function changed(entity, at, value) {
  const copy = structuredClone(entity);
  if (!at) return copy;
  const last = at.at(-1);
  const parent = at.slice(0, -1).reduce((inner, key) => inner[key], copy);
  if (value === ABSENT) delete parent[last];
  else parent[last] = value;
  return copy;
}

const policy = model.EntityPolicies.allOf([
  new model.SchemaValidEntityPolicy(),
  new model.DefaultNamespaceEntityPolicy(),
  new model.NoForeignRootFieldsEntityPolicy(),
  new model.FieldFormatEntityPolicy(),
]);
const baseOf = (kind, spec) => ({
  apiVersion: kind === 'Template' ? 'scaffolder.backstage.io/v1beta3' : 'backstage.io/v1alpha1',
  kind,
  metadata: { name: 'demo' },
  spec,
});
const validators = [
  model.apiEntityV1alpha1Validator, model.componentEntityV1alpha1Validator, model.resourceEntityV1alpha1Validator,
  model.groupEntityV1alpha1Validator, model.locationEntityV1alpha1Validator, model.userEntityV1alpha1Validator,
  model.systemEntityV1alpha1Validator, model.domainEntityV1alpha1Validator, templateEntityV1beta3Validator,
];
const refs = {
  Component: { owner: 'Group', subcomponentOf: 'Component', providesApis: 'API', consumesApis: 'API', dependsOn: undefined, dependencyOf: undefined, system: 'System' },
  API: { owner: 'Group', system: 'System' },
  Resource: { owner: 'Group', dependsOn: undefined, dependencyOf: undefined, system: 'System' },
  User: { memberOf: 'Group' },
  Group: { parent: 'Group', children: 'Group', members: 'User' },
  System: { owner: 'Group', domain: 'Domain' },
  Domain: { owner: 'Group', subdomainOf: 'Domain' },
  Template: { owner: 'Group' },
};

async function judge(entity) {
  try {
    model.entityEnvelopeSchemaValidator()(entity);
    const enforced = await policy.enforce(structuredClone(entity));
    model.entitySchemaValidator()(enforced);
    let known = false;
    for (const validator of validators) known ||= await validator.check(enforced);
    if (!known) throw new Error('no validator recognizes it');
    for (const [field, defaultKind] of Object.entries(refs[enforced.kind] ?? {})) {
      const value = enforced.spec[field];
      for (const text of value ? [value].flat() : []) {
        model.parseEntityRef(text, { defaultKind, defaultNamespace: enforced.metadata.namespace });
      }
    }
    return { valid: true };
  } catch (error) {
    return { valid: false, why: String(error.message).split('\n')[0].slice(0, 120) };
  }
}

const verdicts = [];
for (const [kind, spec] of Object.entries(bases)) {
  const base = baseOf(kind, spec);
  for (const [at, value] of [...changes(kind, spec), ...(kind === 'Component' ? envelopes() : [])]) {
    const { valid, why } = await judge(changed(base, at, value));
    verdicts.push({ kind, at: at ?? [], ...(value === ABSENT ? {} : { value: value ?? null }), valid, why });
  }
}
const texts = ['component:default/demo', 'Component:Demo', 'demo', 'ns/demo', 'NS/Demo', 'user:a/b:c', 'a/b:c', 'a:b:c', 'a:b/c/d', 'a/b/c', '', ' ', ':demo', 'a:', 'a:/demo', 'a:b/', '/demo', 'demo/', ':', '/', '::', '//', 'a::b', 'a:b::c', 'a b:c d/e f', ' a:b/c ', 'ä:ö/ü', 'Ä:Ö/Ü', 'a:b/c:d/e', '%61:b/c', 'a\n:b/c', 'user:default/user one', 'a:b\u0000/c', long(300)];
const contexts = [undefined, { defaultKind: 'Group' }, { defaultNamespace: 'ns' }, { defaultKind: 'Group', defaultNamespace: 'NS' }];
const readings = texts.flatMap(text => contexts.map(context => {
  try {
    return { text, ...context, ref: model.stringifyEntityRef(model.parseEntityRef(text, context)) };
  } catch {
    return { text, ...context, ref: null };
  }
}));

const lines = list => list.map(one => JSON.stringify(one)).join(',\n');
const entities = Object.entries(bases).map(([kind, spec]) => baseOf(kind, spec));
process.stdout.write(`{"entities": [\n${lines(entities)}\n],\n"changes": [\n${lines(verdicts)}\n],\n"refs": [\n${lines(readings)}\n]}\n`);
