// Renders a corpus of templates with both published engines: nunjitsu, which the current Backstage renders with, and
// nunjucks, which earlier ones did. Prints a JSON line for each template; the first line is the context.
//
//   node templates.mjs FOLDER_WITH_NODE_MODULES
//
// A line has the template, the mode (plain, trim, cookiecutter), `new` and `old`: {text} or {error}, and for `new` in plain mode
// `value`: {json} (as JSON.stringify writes it), {undefined: true} or {error}. tests/it/templates.rs compares. What is generated
// follows from the seed alone.

import { createRequire } from 'node:module';
import path from 'node:path';
import vm from 'node:vm';

const require = createRequire(path.resolve(process.argv[2], 'x.js'));
const { createTemplateRenderer } = require('nunjitsu');
const nunjucks = require('nunjucks');

const context = {
  values: {
    name: 'demo', title: 'A Demo', n: 3, f: 2.5, neg: -7, zero: 0, big: 12345678901234567890, tiny: 1e-7, b: true, no: false,
    nul: null, s: '', blank: '  ', digits: '42', arr: ['a', 'b', 'c'], nums: [3, 1, 10, 2], mixed: ['b', 'A', 'c'],
    nested: [[1, 2], [3, [4]]], empty: [], holes: [null, 0, '', false, 'x'], obj: { k: 'v', 'x-y': 1, deep: { er: [1, { z: 'end' }] } },
    eo: {}, html: '<b>&"\'', uni: 'héllo 😀', multi: 'one two\nthree  four\n', csv: 'a,b,,c', path: 'a/b/c.txt',
    people: [{ name: 'Zoe', age: 30, team: 'x' }, { name: 'Al', age: 25, team: 'y', lead: true }, { name: 'Bob', age: 30, team: 'x' }],
    url: 'https://example.com/a?b=1&c=d e', camel: 'someCamelCase', long: 'The quick brown fox jumps over the lazy dog.',
  },
  parameters: { name: 'demo', flag: false, tags: { a: 1 }, list: ['x'], empty: '' },
  steps: { publish: { output: { url: 'u' } }, 'a-b': { output: { z: 1 } } },
};

const corpus = [];
const add = (template, mode = 'plain') => corpus.push([template, mode]);
const expr = (text) => add('${{ ' + text + ' }}');

// --- Values and how they print ---------------------------------------------------------------------------------
const leaves = [
  '1', '0', '-1', '1.5', '0.1', '100', '1e3', '.5', '5.', '007', '0x1f', '1_000', '9007199254740993', '123456789012345680000', '1.0',
  '0.0000001', '"a"', "'b'", '"a\\nb"', "'it\\'s'", '"\\t|\\\\|\\"|\\u0041"', 'true', 'false', 'none', 'null', 'undefined', 'True', 'None',
  '[]', '[1, 2]', "['a', [1]]", '[1,]', '{}', '{a: 1}', '{"a": 1, "b": [2]}', "{'x-y': none}", '{1: 2}', '(1)', '(1, 2)', '()',
  'values.name', 'values.n', 'values.f', 'values.neg', 'values.zero', 'values.big', 'values.tiny', 'values.b', 'values.no', 'values.nul',
  'values.s', 'values.arr', 'values.nested', 'values.empty', 'values.holes', 'values.obj', 'values.eo', 'values.people', 'values.nope', 'nope',
  'nope.nope', 'values.nope.nope', "values['name']", 'values["na" ~ "me"]', 'values.arr[0]', 'values.arr[9]', 'values.arr[-1]',
  'values.arr["1"]', 'values.obj["x-y"]', 'values.obj.x-y', 'values.obj.deep.er[1].z', 'values.people[1].lead', 'values.name[0]',
  'values.uni[6]', 'values.uni', 'values.html', 'values.multi', "steps['a-b'].output.z", 'steps.a-b.output.z', 'values.arr.length',
  'values.name.length', 'values.uni.length', 'values.obj.length', 'values.arr.0', 'values.nul.x', 'values.n.x', 'range', 'cycler', 'joiner',
];
leaves.forEach(expr);
leaves.forEach((leaf) => { add('a${{ ' + leaf + ' }}b'); add('${{' + leaf + '}}${{' + leaf + '}}'); });

// --- Operators --------------------------------------------------------------------------------------------------
const operands = [
  '1', '2', '0', '-3', '2.5', '"2"', '"a"', '""', 'true', 'false', 'none', 'values.nope', 'values.arr', '[]', '[2]', 'values.obj', '{}',
  'values.name', 'values.nul', 'values.digits',
];
const operators = ['+', '-', '*', '/', '//', '%', '**', '~', '==', '!=', '===', '!==', '<', '>', '<=', '>=', 'and', 'or', 'in', 'not in'];
for (const operator of operators) for (const left of operands) for (const right of operands) expr(`${left} ${operator} ${right}`);
for (const operand of operands) {
  for (const prefix of ['not ', '-', '+', 'not not ', '- -', '!']) expr(prefix + operand);
  expr(`"yes" if ${operand} else "no"`);
  expr(`"yes" if ${operand}`);
  add(`{% if ${operand} %}yes{% elif 1 %}no{% endif %}`);
  add(`{% for x in ${operand} %}[\${{ x }}]{% else %}none{% endfor %}`);
  add(`{% for k, v in ${operand} %}[\${{ k }}=\${{ v }}]{% else %}none{% endfor %}`);
  add(`{% switch ${operand} %}{% case 1 %}one{% case "a" %}a{% default %}other{% endswitch %}`);
}
for (const text of [
  '1 + 2 * 3', '(1 + 2) * 3', '2 ** 3 ** 2', '-2 ** 2', '2 ** -1', '10 - 2 - 3', '100 / 10 / 5', '7 // 2 * 2', '7 % 4 * 2', '1 + 2 ~ 3', '1 ~ 2 + 3',
  '1 ~ 2 * 3', 'not true or true', 'not (true or true)', 'true and false or true', 'true or true and false', '1 < 2 == true', '1 == 1 == 1',
  '1 < 2 < 3', '3 > 2 > 1', 'not 1 == 2', 'not "a" in "abc"', '"a" not in "abc"', '1 in [1] and 2 in [2]', '1 if true else 2 if false else 3',
  '(1 if false else 2) + 1', '1 + 1 if true else 2', '"a" ~ "b" | upper', '("a" ~ "b") | upper', '-1 | abs', '(-1) | abs', '1 - -1 | abs',
  'values.n + 1 | float', '[1, 2] | length + 1', '1 + [1, 2] | length', '"a" | upper ~ "b" | upper', 'not values.s | length', '2 * 3 | string',
  '1 is odd', '1 is not odd', 'not 1 is odd', '1 + 1 is even', '"a" ~ "b" is string', '1 is odd and 2 is even', 'values.nope is defined or true',
  'values.name is defined and values.name == "demo"', '1, 2', 'a = 1', '1 == = 1', '1 +', '+ ', '* 2', '(1', '1)', '[1', '{a', '"a', 'a b', '1 2', '"a" "b"',
  'a.', '.a', 'a..b', 'a[', 'a[]', 'a()', 'f(', '|', '| upper', '1 |', '1 | 2', '1 | nosuch', '1 is', '1 is nosuch', '1 is not', 'is', 'if', 'else', 'for',
  '1 if', '1 if true else', 'if true', '{a: }', '{: 1}', '{a 1}', '{"a" 1}', '[1 2]', '[,]', '{,}', 'a ? b : c', 'a && b', 'a || b', 'a = b', 'a++', '`a`', '@', '#', '$', '\\',
  'a?.b', 'a ?? b', '=> 1', 'new Date()', 'this', 'constructor', 'values.constructor', 'values.__proto__', 'values.arr.constructor', '"a".constructor',
  'values["__proto__"]', 'toString', 'values.toString', 'values.hasOwnProperty("name")', 'loop', 'loop.index', 'caller', 'caller()', 'super()', 'self', 'é', 'a$b', '_a', 'a1', '1a',
  'true.x', 'none.x', '"a".x', '1 .x', '[].x', 'r/a/g', 'r/a/', 'r/[/', 'r/a/z', 'r/a/.test("cat")', 'r/^a/.test("cat")', 'r/(\\w)/g', '/a/',
]) expr(text);

// --- Filters ----------------------------------------------------------------------------------------------------
const filters = [
  'abs', 'batch', 'capitalize', 'center', 'd', 'default', 'dictsort', 'dump', 'e', 'escape', 'first', 'float', 'forceescape', 'groupby', 'indent',
  'int', 'join', 'last', 'length', 'list', 'lower', 'nl2br', 'reject', 'rejectattr', 'replace', 'reverse', 'round', 'safe', 'select', 'selectattr', 'slice',
  'sort', 'string', 'striptags', 'sum', 'title', 'trim', 'truncate', 'upper', 'urlencode', 'urlize', 'wordcount', 'tojson', 'map', 'unique', 'items', 'filesizeformat',
  'count', 'attr', 'format', 'pprint', 'xmlattr', 'min', 'max', 'split',
];
const subjects = [
  '1', '-2.6', '"3.7x"', '""', '"a b"', '"<i>A</i> b"', 'true', 'none', 'values.nope', 'values.arr', 'values.nums', 'values.mixed', 'values.nested', 'values.empty',
  'values.holes', 'values.obj', 'values.eo', 'values.people', 'values.uni', 'values.html', 'values.multi', 'values.long', 'values.url', 'values.camel', 'values.f', 'range(4)', '"a" | safe',
];
for (const filter of filters) for (const subject of subjects) expr(`${subject} | ${filter}`);
for (const text of [
  'values.nums | batch(2)', 'values.nums | batch(3, "-")', 'values.nums | batch(0)', 'values.nums | batch("2")', 'values.nums | slice(2)', 'values.nums | slice(3, "-")', 'values.nums | slice(0)',
  '"ab" | center(6)', '"ab" | center(7)', '"ab" | center(1)', '"ab" | center(6.5)', 'values.nope | default("x")', 'values.s | default("x")', 'values.s | default("x", true)', 'values.nul | default("x")',
  'values.no | default("x", true)', 'values.no | d("x", boolean=true)', 'values.obj | dictsort', 'values.obj | dictsort(true)', '{b: 1, A: 2, c: 0} | dictsort', '{b: 1, A: 2, c: 0} | dictsort(true)',
  '{b: 1, A: 2, c: 0} | dictsort(false, "value")', '{b: 1} | dictsort(false, "nosuch")', 'values.obj | dump(2)', 'values.obj | dump("--")', 'values.arr | dump(0)', 'values.nul | dump', 'values.nope | dump',
  'values.people | groupby("team")', 'values.people | groupby("team") | dump', 'values.people | groupby("nope") | dump', 'values.multi | indent', 'values.multi | indent(2)', 'values.multi | indent(2, true)',
  'values.multi | indent(width=1, first=true)', '"12abc" | int', '"abc" | int(7)', '"abc" | int', '"0x1f" | int', '"12" | int(0, 16)', '"ff" | int(0, 16)', '1.9 | int', '"1.9e2" | float', '"abc" | float(1.5)', '"" | float',
  'values.arr | join', 'values.arr | join("-")', 'values.people | join(", ", "name")', 'values.people | join(",", attribute="name")', 'values.nested | join("|")', 'values.name | join("-")', 'values.obj | join',
  'values.arr | first', 'values.arr | last', 'values.empty | first', 'values.empty | last', '"abc" | first', '"abc" | last', 'values.arr | length', 'values.obj | length', '5 | length', 'none | length', 'values.uni | length',
  '"abc" | list', 'values.obj | list', '{a: 1} | list | dump', 'values.arr | list', 'values.nums | reject("odd")', 'values.nums | select("odd")', 'values.nums | select("gt", 2)', 'values.nums | select("divisibleby", 2)', 'values.holes | select', 'values.holes | reject', 'values.nums | select("nosuch")',
  'values.people | selectattr("lead") | dump', 'values.people | rejectattr("lead") | dump', 'values.people | selectattr("age", "eq", 30) | dump', '"aXbX" | replace("X", "-")', '"aXbX" | replace("X", "-", 1)', '"aXbX" | replace("", "-")',
  '"a.b.c" | replace(".", "")', '"aab" | replace(r/a/g, "x")', '"aab" | replace(r/a/, "x")', '"a1b22" | replace(r/[0-9]+/g, "<$&>")', '"ab" | replace(r/(a)(b)/, "$2$1")', '"AbC" | replace(r/b/i, "-")', '5 | replace("5", "6")', '55 | replace(5, 6)', 'none | replace("a", "b")', 'values.arr | replace("a", "b")',
  '"abc" | reverse', 'values.arr | reverse', 'values.uni | reverse', '3.14159 | round', '3.14159 | round(2)', '3.5 | round(0, "floor")', '3.14159 | round(3, "ceil")', '-2.5 | round', '2.5 | round', '1.005 | round(2)', '"3.7" | round', '12345.678 | round(-2)',
  'values.nums | sort', 'values.nums | sort(true)', 'values.mixed | sort', 'values.mixed | sort(false, true)', 'values.mixed | sort(reverse=true, case_sensitive=true)', 'values.people | sort(false, false, "age") | join(",", "name")', 'values.people | sort(attribute="name") | join(",", "name")', 'values.people | sort(attribute="nope")', '"cab" | sort', 'values.obj | sort',
  '"<a href=x>b</a>  c\\n\\n\\nd" | striptags', '"<a>b</a>  c\\n\\n\\nd" | striptags(true)', 'values.nums | sum', 'values.nums | sum(start=10)', 'values.people | sum("age")', 'values.people | sum("age", 5)', 'values.arr | sum', 'values.empty | sum', '"hello wORLD foo-bar" | title', '"hello WORLD" | capitalize', '" x " | trim', '"\\t\\nx\\u00a0" | trim',
  'values.long | truncate(20)', 'values.long | truncate(20, true)', 'values.long | truncate(20, false, "!")', 'values.long | truncate(20, end="…")', 'values.long | truncate(4)', 'values.long | truncate(0)', 'values.long | truncate(200)', '"a b&c=d/é?" | urlencode', 'values.obj | urlencode', '[["a", 1], ["b", "x y"]] | urlencode', '5 | urlencode',
  '"see https://example.com/abcdefghij, mail a@b.co or www.x.org." | urlize', '"see https://example.com/abcdefghij" | urlize(10)', '"www.x.org" | urlize(10, true)', '"one two  three" | wordcount', '"a\\nb" | nl2br', '"<b>" | escape | escape', '"<b>" | safe | escape', '"<b>" | escape | forceescape', '"<b>" | safe | forceescape', '"<b>" | e | safe',
  '"A" | lower | upper | lower', 'values.arr | join("-") | upper | replace("-", "") | length', '"a" | upper()', '"a" | upper(1, 2)', '"a" | default', '"a" | join(1)', 'values.nope | upper', 'values.nope | join', 'values.nope | length', 'values.nope | first', 'values.nope | sort', 'values.nul | upper', 'values.nul | length', '1 | upper', 'true | upper', '[1] | upper',
]) expr(text);
for (const filter of ['upper', 'replace("e", "3")', 'indent(2, true)', 'trim', 'nosuch', 'default("x")', 'title | replace("D", "d")']) add(`{% filter ${filter} %} demo \${{ values.n }} {% endfilter %}`);

// --- Tests ------------------------------------------------------------------------------------------------------
const tests = [
  'callable', 'defined', 'undefined', 'divisibleby(2)', 'divisibleby(0)', 'escaped', 'equalto(1)', 'eq("a")', 'sameas(true)', 'even', 'odd', 'falsy', 'truthy', 'ge(1)', 'gt(1)', 'greaterthan(1)', 'le(1)', 'lt(1)', 'lessthan("b")', 'ne(1)',
  'iterable', 'lower', 'upper', 'mapping', 'null', 'none', 'number', 'string', 'boolean', 'float', 'integer', 'true', 'false', 'sequence', 'in([1])', 'divisibleby 2', 'defined and true',
];
const tested = ['1', '2', '0', '-3', '2.5', '"a"', '"A"', '""', '"2"', 'true', 'false', 'none', 'values.nope', 'values.arr', 'values.empty', 'values.obj', 'range', '"x" | safe', 'nope.x'];
for (const test of tests) for (const subject of tested) expr(`${subject} is ${test}`);
for (const test of ['odd', 'defined', 'none', 'string']) for (const subject of tested.slice(0, 12)) expr(`${subject} is not ${test}`);

// --- Methods ----------------------------------------------------------------------------------------------------
const methods = {
  '"Hello World"': ['charAt(1)', 'charCodeAt(1)', 'concat("!", 1)', 'endsWith("ld")', 'includes("lo")', 'indexOf("o")', 'indexOf("o", 5)', 'lastIndexOf("o")', 'replace("l", "L")', 'replace(r/l/g, "L")', 'slice(1)', 'slice(-3)', 'slice(1, -1)', 'split(" ")', 'split("")', 'split("", 3)', 'split()', 'split(r/o/)',
    'startsWith("He")', 'substring(3)', 'substring(5, 2)', 'substr(1, 2)', 'toLowerCase()', 'toUpperCase()', 'trim()', 'trimStart()', 'trimEnd()', 'padStart(13, "-")', 'padEnd(13)', 'repeat(2)', 'match(r/o/g)', 'matchAll("o")', 'replaceAll("l", "L")', 'at(-1)', 'codePointAt(0)', 'normalize()', 'localeCompare("a")', 'search("W")', 'toString()', 'valueOf()', 'length', 'length()', 'nosuch()', 'upper()', 'format(1)'],
  '[3, 1, 2]': ['at(-1)', 'concat([4], 5)', 'copyWithin(0, 1)', 'fill(0)', 'fill(9, 1, 2)', 'flat()', 'includes(1)', 'indexOf(2)', 'join("-")', 'join()', 'lastIndexOf(3)', 'pop()', 'push(4)', 'reverse()', 'shift()', 'slice(1)', 'slice(-2, -1)', 'sort()', 'splice(1, 1)', 'splice(0, 1, 7, 8)', 'unshift(0)', 'map(1)', 'filter(1)', 'forEach(1)', 'find(1)', 'every(1)', 'reduce(1)', 'keys()', 'entries()', 'length', 'append(4)', 'toString()'],
  '(12.345)': ['toFixed(2)', 'toFixed()', 'toPrecision(3)', 'toExponential(1)', 'toString()', 'toString(2)', 'toLocaleString()', 'valueOf()'],
  '{a: 1, b: {c: 2}}': ['keys()', 'items()', 'values()', 'get("a")', 'hasOwnProperty("a")', 'toString()', 'a', 'b.c', 'length'],
  'true': ['toString()'], 'none': ['toString()'], 'values.nope': ['toString()'], '"a,b,,c"': ['split(",")', 'split(",", 2)'], '"  x "': ['trim()', 'trimStart()', 'trimEnd()', 'trimLeft()'], '"héllo 😀"': ['toUpperCase()', 'charAt(6)', 'split("")', 'slice(0, 7)', 'length', 'indexOf("😀")'],
};
for (const [subject, calls] of Object.entries(methods)) for (const call of calls) { expr(`${subject}.${call}`); expr(`(${subject}.${call}) | dump`); }
for (const text of [
  'values.arr[1:]', 'values.arr[:1]', 'values.arr[::2]', 'values.arr[::-1]', 'values.arr[-2:]', 'values.arr[5:]', 'values.arr[:]', 'values.name[1:3]', 'values.name[::-1]', 'values.nope[1:]', 'values.arr[0:0]', 'values.arr[::0]',
  'range(3)', 'range(1, 4)', 'range(0, 10, 3)', 'range(3, 0, -1)', 'range(0)', 'range()', 'range("3")', 'range(2.5)', 'range(-2)', 'range(1, 2, 3, 4)', 'cycler("a", "b")', 'cycler("a", "b").next()', 'joiner()()', 'joiner("; ")()', 'nosuch()', 'values.name()', '"a"()', '1()',
]) { expr(text); expr(`${text} | dump`); }

// --- Tags -------------------------------------------------------------------------------------------------------
const loopVars = ['index', 'index0', 'revindex', 'revindex0', 'first', 'last', 'length', 'depth', 'previtem', 'cycle("a","b")', 'nosuch'];
for (const name of loopVars) add(`{% for x in values.nums %}\${{ loop.${name} }},{% endfor %}`);
for (const text of [
  '{% for x in values.arr %}${{ x }}{% if not loop.last %}, {% endif %}{% endfor %}', '{% for x in values.empty %}a{% else %}b{% endfor %}', '{% for k, v in values.obj %}${{ k }}:${{ v | dump }};{% endfor %}',
  '{% for a, b in [[1, 2], [3, 4]] %}${{ a }}-${{ b }};{% endfor %}', '{% for a, b, c in [[1, 2, 3], [4]] %}${{ a }}-${{ b }}-${{ c }};{% endfor %}', '{% for p in values.people %}${{ p.name }}{% for c in p.name %}.${{ c }}${{ loop.index }}{% endfor %}${{ loop.index }};{% endfor %}',
  '{% for x in values.name %}${{ x }}{% endfor %}', '{% for x in 5 %}${{ x }}{% endfor %}', '{% for x in values.nope %}a{% endfor %}', '{% for x in values.obj %}${{ x }}{% endfor %}', '{% for x in range(3) %}{% set y = x %}{% endfor %}${{ y }}', '{% set y = 0 %}{% for x in range(3) %}{% set y = y + x %}{% endfor %}${{ y }}',
  '{% for x in values.people | sort(attribute="name") %}${{ x.name }}{% endfor %}', '{% for x in values.arr if x != "a" %}${{ x }}{% endfor %}', '{% for x in [1,2,3] %}{% if x == 2 %}{% break %}{% endif %}${{ x }}{% endfor %}', '{% for x in [1,2] %}{% continue %}{% endfor %}', '{% for x of values.arr %}${{ x }}{% endfor %}', '{% for in values.arr %}{% endfor %}', '{% for x %}{% endfor %}', '{% for x in values.arr %}', '{% endfor %}', '{% for x in values.arr %}{% endif %}',
  '{% set x = 5 %}${{ x }}', '{% set x, y = 5 %}${{ x }}${{ y }}', '{% set x = 1, y = 2 %}${{ x }}', '{% set x %}block ${{ values.n }}{% endset %}${{ x }}', '{% set x | upper %}block{% endset %}${{ x }}', '{% set values = 1 %}${{ values }}', '{% set x.y = 1 %}', '{% set x %}', '{% set x = %}', '{% set = 1 %}', '{% set 1 = 1 %}', '{% set x = values.nope %}${{ x is defined }}', '{% if true %}{% set x = 1 %}{% endif %}${{ x }}', '{% set x = [] %}{% set y = x.push(1) %}${{ x }}${{ y }}',
  '{% if values.n > 2 %}a{% elif values.n > 1 %}b{% else %}c{% endif %}', '{% if false %}a{% elseif true %}b{% endif %}', '{% if false %}a{% else if true %}b{% endif %}', '{% if %}a{% endif %}', '{% if true %}a', '{% endif %}', '{% else %}', '{% if true %}a{% else %}b{% else %}c{% endif %}', '{% if true and (values.n == 3 or false) %}y{% endif %}', '{% if values.nope is defined %}a{% endif %}', "{% if 'k' in values.obj %}a{% endif %}", "{% if values.nope %}{% if 'x' in values.nope %}b{% endif %}{% endif %}", "{% if 'x' in values.nope %}b{% endif %}", '{%if true%}a{%endif%}', '{% if true -%} a {%- endif %}', '{% unless true %}a{% endunless %}', '{% ifAsync true %}a{% endif %}',
  '{% switch values.n %}{% case 1 %}a{% case 3 %}b{% case 4 %}c{% default %}d{% endswitch %}', '{% switch values.n %}{% default %}d{% endswitch %}', '{% switch values.n %}x{% case 3 %}b{% endswitch %}', '{% switch 2 %}{% case 1 %}{% case 2 %}b{% endswitch %}', '{% switch %}{% endswitch %}',
  '{% macro m(a, b=2) %}<${{ a }},${{ b }}>{% endmacro %}${{ m(1) }}${{ m(1, 3) }}${{ m(b=4, a=5) }}${{ m() }}', '{% macro m(a) %}${{ a }}${{ values.name }}{% endmacro %}${{ m("x") }}', '{% macro m() %}a{% endmacro %}${{ m }}', '{% macro m() %}${{ caller() }}{% endmacro %}{% call m() %}inner{% endcall %}', '{% macro m(x) %}${{ caller(x) }}{% endmacro %}{% call(y) m(3) %}got ${{ y }}{% endcall %}', '{% macro m(l) %}{% for x in l %}${{ caller(x) }}{% endfor %}{% endmacro %}{% call (i) m([1,2]) %}[${{ i }}]{% endcall %}', '{% macro m(a %}{% endmacro %}', '{% macro %}{% endmacro %}', '{% macro m() %}', '{% macro a() %}A{% endmacro %}{% macro b() %}${{ a() }}B{% endmacro %}${{ b() }}', '{% macro m(a) %}{% set z = a %}${{ z }}{% endmacro %}${{ m(1) }}${{ z }}', '{% set v = 9 %}{% macro m() %}${{ v }}{% endmacro %}${{ m() }}', '{% call nosuch() %}a{% endcall %}', '${{ m(1) }}{% macro m(a) %}${{ a }}{% endmacro %}', '{% macro m(a) %}${{ a }}{% endmacro %}${{ m("<b>") | upper }}', '{% macro m() %}x{% endmacro %}${{ m() | length }}${{ m() == "x" }}',
  '{% raw %}${{ x }}{% if %}{# c #}{% endraw %}', '{% verbatim %}${{ x }}{% endverbatim %}', '{% raw %}a{% raw %}b{% endraw %}c{% endraw %}', '{% raw %}a', '{% endraw %}', '{%- raw -%} a {%- endraw -%} b', '{# comment #}', '{# a ${{ b }} {% c %} #}x', '{# unclosed', '#}', 'a {# b #} c', '{#- b -#}', ' a {#- b -#} c ', '{##}', '{# a\nb #}c', '# Title {#anchor}',
  '{% include "x" %}', '{% import "x" as y %}', '{% from "x" import y %}', '{% extends "x" %}', '{% block a %}x{% endblock %}', '{% block a %}x{% endblock a %}', '{% asyncEach x in [1] %}{% endeach %}', '{% asyncAll x in [1] %}{% endall %}', '{% do x %}', '{% with %}{% endwith %}', '{% autoescape true %}{% endautoescape %}', '{% nosuch %}', '{% %}', '{%%}', '{% 1 %}', '{% if true %}{% nosuch %}{% endif %}', '{% filter upper %}a{% endfilter', '{% filter %}a{% endfilter %}',
  '${{ }}', '${{}}', '${{ 1', '${{ 1 }', '}}', '${{ 1 }}}', '{${{ 1 }}', '$${{ 1 }}', '$ {{ 1 }}', '{{ 1 }}', '{{ ${{ 1 }} }}', '${{ "}}" }}', "${{ '${{' }}", '${{ {a: {b: 1}} }}', '${{ {a: {b: 1}}.a.b }}', '${{ "%}" }}', '{% if "}}" %}a{% endif %}', '{% if "%}" == "%}" %}a{% endif %}', '{{steps.x.outputs.y-z}}', "'{{inputs.parameters.n}}'", '${{- 1 -}}', ' ${{- 1 -}} ', 'a\n${{- 1 }}\nb', 'a\n ${{ 1 -}} \nb', ' {%- if true -%} a {%- endif -%} ', ' {%- if true %} a {% endif -%} ', '\n{% if true %}\na\n{% endif %}\n', '  {% if true %}\n  a\n  {% endif %}\n', '\n\n{%- set x = 1 -%}\n\nb', 'a  {%- if true %}b{% endif %}  c', '${{ 1 }}\n', '\n${{ 1 }}', ' ${{ 1 }}', '${{ 1 }} ', '{# c #}${{ [1] }}', '${{ [1] }}{# c #}', '{%- set x = 1 -%}${{ [1] }}', '${{ 1 }}{{ 2 }}', '\r\n${{ 1 }}\r\n', '\t{% if true %}\tx{% endif %}', '${{\n1\n+\n2\n}}', '${{ values\n.name }}', 'é${{ values.uni }}😀', '\u2028${{ 1 }}', '\u00a0{%- if true %}a{% endif %}', '${{ 1 }}\0',
]) for (const mode of ['plain', 'trim']) add(text, mode);
for (const text of [
  '{{ cookiecutter.name }}', '{{cookiecutter.name|upper}}', '${{ cookiecutter.name }}', '{{ cookiecutter.obj | jsonify }}', '{{ cookiecutter.arr | jsonify }}', '{{ cookiecutter.obj.items() }}', '{{ cookiecutter.obj.keys() }}', '{% for k, v in cookiecutter.obj.items() %}{{ k }}={{ v }};{% endfor %}', '{{ cookiecutter.obj.get("k") }}', '{{ cookiecutter.obj.get("no", "d") }}', '{{ cookiecutter.arr.append("z") }}{{ cookiecutter.arr }}', '{{ True }}{{ False }}{{ None }}', '{{ cookiecutter.nope }}', '{{ cookiecutter.name.replace("d", "t") }}', '{{ cookiecutter.arr[-1] }}', '{{ cookiecutter.arr.index("b") }}', '{{ cookiecutter.obj.pop("k") }}{{ cookiecutter.obj | jsonify }}', '{% if cookiecutter.b == True %}y{% endif %}', '{{ cookiecutter.arr.count("a") }}', '{{ cookiecutter.obj.values() }}',
]) add(text, 'cookiecutter');

// --- Random templates -------------------------------------------------------------------------------------------
let state = 20260927;
const random = (n) => {
  // mulberry32
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % n;
};
const pick = (list) => list[random(list.length)];
const atoms = ['1', '2.5', '0', '-4', '"a"', "'b c'", '""', 'true', 'none', 'values.name', 'values.n', 'values.f', 'values.arr', 'values.nums', 'values.obj.k', 'values.nope', 'values.people[0].age', 'values.people[1]["name"]', 'values.uni', 'values.digits', 'values.s', '[1, "x"]', '{a: 1}', 'x', 'y', 'loop.index'];
const chains = ['upper', 'lower', 'length', 'join("-")', 'default("d")', 'first', 'last', 'reverse', 'string', 'int', 'float', 'abs', 'round(1)', 'trim', 'title', 'capitalize', 'replace("a", "o")', 'sort', 'list', 'dump', 'sum', 'wordcount', 'escape', 'safe', 'urlencode', 'truncate(5)', 'indent(1)', 'center(9)', 'batch(2)', 'slice(2)', 'nl2br'];
const binary = ['+', '-', '*', '/', '//', '%', '**', '~', '==', '!=', '<', '>', '<=', '>=', 'and', 'or', 'in', 'not in', '==='];
const spaces = () => pick(['', ' ', ' ', ' ', '  ', '\n']);
function expression(depth) {
  if (depth <= 0) return pick(atoms);
  switch (random(13)) {
    case 0: return `${expression(depth - 1)}${spaces()}|${spaces()}${pick(chains)}`;
    case 1: case 2: return `${expression(depth - 1)} | ${pick(chains)}`;
    case 3: case 4: case 5: return `${expression(depth - 1)} ${pick(binary)} ${expression(depth - 1)}`;
    case 6: return `(${expression(depth - 1)})`;
    case 7: return `not ${expression(depth - 1)}`;
    case 8: return `${expression(depth - 1)} if ${expression(depth - 1)} else ${expression(depth - 1)}`;
    case 9: return `[${expression(depth - 1)}, ${expression(depth - 1)}]`;
    case 10: return `${expression(depth - 1)} is ${pick(['', 'not '])}${pick(['odd', 'even', 'defined', 'string', 'number', 'none', 'iterable', 'lower', 'truthy'])}`;
    case 11: return `(${expression(depth - 1)})[${expression(depth - 2)}]`;
    default: return `-${expression(depth - 1)}`;
  }
}
function template(depth) {
  const dash = () => pick(['', '', '', '-']);
  const parts = [];
  for (let left = 1 + random(3); left > 0; left -= 1) {
    const body = () => (depth > 0 ? template(depth - 1) : pick(['', 't', ' t ', '\n']));
    switch (random(9)) {
      case 0: case 1: parts.push(`\${{${dash()} ${expression(random(3))} ${dash()}}}`); break;
      case 2: parts.push(pick(['text', ' ', '\n', ' \n ', '{{ x }}', 'é', '}', '{', '$', '%}', '"'])); break;
      case 3: parts.push(`{%${dash()} if ${expression(random(3))} ${dash()}%}${body()}{%${dash()} else ${dash()}%}${body()}{%${dash()} endif ${dash()}%}`); break;
      case 4: parts.push(`{%${dash()} for ${pick(['x', 'y', 'x, y'])} in ${expression(random(2))} ${dash()}%}${body()}{%${dash()} endfor ${dash()}%}`); break;
      case 5: parts.push(`{%${dash()} set ${pick(['x', 'y'])} = ${expression(random(3))} ${dash()}%}`); break;
      case 6: parts.push(`{#${dash()} ${pick(['c', '${{ x }}', ''])} ${dash()}#}`); break;
      case 7: parts.push(`{% filter ${pick(chains)} %}${body()}{% endfilter %}`); break;
      default: parts.push(`{% macro m(x${pick(['', ', y=2'])}) %}${body()}{% endmacro %}\${{ m(${expression(1)}) }}`);
    }
  }
  return parts.join('');
}
for (let count = 0; count < 1500; count += 1) expr(expression(1 + random(3)));
for (let count = 0; count < 1500; count += 1) add(template(2), pick(['plain', 'plain', 'trim']));

// --- Both engines -----------------------------------------------------------------------------------------------
const current = {}, earlier = {};
for (const mode of ['plain', 'trim', 'cookiecutter']) {
  const blocks = mode === 'trim', cookiecutter = mode === 'cookiecutter';
  current[mode] = createTemplateRenderer({
    allowRegexExecution: true, cookiecutterCompat: cookiecutter, trimBlocks: blocks, lstripBlocks: blocks,
  });
  const environment = new nunjucks.Environment([], {
    autoescape: false, trimBlocks: blocks, lstripBlocks: blocks,
    tags: cookiecutter ? {} : { variableStart: '${{', variableEnd: '}}' },
  });
  if (cookiecutter) environment.addFilter('jsonify', (value) => JSON.stringify(value));
  earlier[mode] = environment;
}
// One of the engines has no bounds: what takes longer than a second is an error.
const attempt = (work) => {
  globalThis.work = work;
  try { return vm.runInThisContext('work()', { timeout: 1000 }); } catch (error) { return { error: String(error.message).split('\n').pop().trim() || 'error' }; }
};
// Half of a pair of surrogates is not text for anybody else.
const whole = (value) => {
  if (typeof value === 'string') return value.toWellFormed();
  if (Array.isArray(value)) return value.map(whole);
  if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([key, inner]) => [whole(key), whole(inner)]));
  return value;
};
const own = (mode) => structuredClone(mode === 'cookiecutter' ? { cookiecutter: context.values } : context);

console.log(JSON.stringify({ context }));
const seen = new Set();
for (const [source, mode] of corpus) {
  const key = mode + source;
  if (seen.has(key)) continue;
  seen.add(key);
  const line = { mode, template: source };
  line.new = attempt(() => ({ text: current[mode].render(source, own(mode)) }));
  line.old = attempt(() => ({ text: String(earlier[mode].renderString(source, own(mode))) }));
  if (mode === 'plain') {
    line.value = attempt(() => {
      const value = current[mode].renderValue(source, own(mode));
      const json = JSON.stringify(value);
      return json === undefined ? { undefined: true } : { json: JSON.parse(json) };
    });
  }
  console.log(JSON.stringify(whole(line)));
}
