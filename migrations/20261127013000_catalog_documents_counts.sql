-- What the API answers of an entity is kept as text, so that reading it is finding a row: head, etag, tail and relations
-- one after the other, and a closing brace, are the document. Relations and with them the etag change when other entities
-- do; the rest only with the entity itself.
alter table catalog_entity
    -- Up to the value of metadata.etag.
    add column head text,
    -- From there up to the value of relations.
    add column tail text,
    -- JSON list of {type, targetRef}, sorted.
    add column relations text,
    add column etag text,
    -- For text search: lower case, as in facets, where they have at most 200 characters.
    add column given_title text,
    add column description text,
    add column display_name text,
    -- Those of originals that are counted (below), and the same in lower case.
    add column counted text[],
    add column counted_lower text[];

update catalog_entity e set
    head = '{' || (
        select string_agg(
            to_json(root.key)::text || ':' || case root.key
                when 'metadata' then '{' || coalesce((
                    select string_agg(to_json(own.key)::text || ':' || own.value::text, ',' order by own.place)
                    from json_each(root.value) with ordinality as own (key, value, place)
                    where own.key not in ('uid', 'etag')) || ',', '') || '"uid":"' || e.id || '","etag":"'
                else root.value::text
            end, ',' order by root.place)
        from json_each(e.body) with ordinality as root (key, value, place)
        where root.place <= (
            select own.place from json_each(e.body) with ordinality as own (key, value, place) where own.key = 'metadata')
    ),
    tail = '"}' || coalesce((
        select string_agg(',' || to_json(root.key)::text || ':' || root.value::text, '' order by root.place)
        from json_each(e.body) with ordinality as root (key, value, place)
        where root.key <> 'relations' and root.place > (
            select own.place from json_each(e.body) with ordinality as own (key, value, place) where own.key = 'metadata')
        ), '') || ',"relations":',
    relations = coalesce((
        select '[' || string_agg('{"type":' || to_json(type)::text || ',"targetRef":' || to_json(target_ref)::text || '}', ','
            order by type collate "C", target_ref collate "C") || ']'
        from (select distinct type, target_ref from catalog_relation where source_ref = e.entity_ref) own), '[]'),
    given_title = (select min(substr(f, 16)) from unnest(facets) f where f like 'metadata.title=%'),
    description = (select min(substr(f, 22)) from unnest(facets) f where f like 'metadata.description=%'),
    display_name = (select min(substr(f, 26)) from unnest(facets) f where f like 'spec.profile.displayname=%'),
    counted = array(
        select f from unnest(originals) f
        where substr(f, 1, strpos(f, '=') - 1) in ('kind', 'spec.type', 'spec.lifecycle', 'spec.owner', 'metadata.tags')),
    counted_lower = array(
        select f from unnest(facets) f where strpos(f, '=') > 0
        and substr(f, 1, strpos(f, '=') - 1) in ('kind', 'spec.type', 'spec.lifecycle', 'spec.owner', 'metadata.tags'));
update catalog_entity set
    etag = substr(encode(sha256(convert_to(digest || relations, 'UTF8')), 'hex'), 1, 40),
    search = search || coalesce(E'\n' || display_name, '');

alter table catalog_entity
    alter column head set not null,
    alter column tail set not null,
    alter column relations set not null,
    alter column etag set not null,
    alter column counted set not null,
    alter column counted_lower set not null,
    drop column body,
    -- Compared byte by byte: these are identities, not words.
    alter column name type text collate "C",
    alter column facets type text[] collate "C",
    alter column originals type text[] collate "C",
    -- Long lists; what the planner learns of their values is not worth the time that it takes.
    alter column facets set statistics 10,
    alter column originals set statistics 0;

-- Packs in half the time. A server that was built without it keeps its own way.
do $$
begin
    alter table catalog_entity
        alter column head set compression lz4, alter column tail set compression lz4,
        alter column relations set compression lz4, alter column facets set compression lz4,
        alter column originals set compression lz4;
exception when feature_not_supported then
    null;
end
$$;

create index catalog_entity_kind_ref_idx on catalog_entity (kind, entity_ref);
create index catalog_entity_kind_name_idx on catalog_entity (kind, name, entity_ref);
alter index catalog_relation_target_idx rename to catalog_relation_target_old_idx;
create index catalog_relation_target_idx on catalog_relation (target_ref, type, source_ref);
drop index catalog_relation_target_old_idx;

-- One row: whoever writes entities, relations or counts locks it first, so that writers follow each other; the version
-- grows with each change. What was worked out for a version holds as long as the version does.
create table catalog_version (
    only_row boolean constraint catalog_version_pkey primary key default true,
    version bigint not null,
    constraint catalog_version_only_row_check check (only_row)
);
insert into catalog_version (version) values (1);

-- How many entities have which values of kind, spec.type, spec.lifecycle, spec.owner and metadata.tags.
create table catalog_count (
    -- `key=value` in lower case: of the entities that have it; empty: of all.
    filter text not null collate "C",
    -- `key=value` in its own case: those that have this too; empty: how many they are; `*`: how many of them have so many
    -- values that they are not in this filter's other rows.
    element text not null collate "C",
    count bigint not null,
    constraint catalog_count_pkey primary key (filter, element)
);
insert into catalog_count (filter, element, count)
select filter, element, sum(n) from (
    select '' as filter, '' as element, 1 as n from catalog_entity
    union all select '', c, 1 from catalog_entity, unnest(counted) c
    union all select f, '', 1 from catalog_entity, unnest(counted_lower) f
    union all select f, '*', 1 from catalog_entity, unnest(counted_lower) f where cardinality(counted) > 32
    union all select f, c, 1 from catalog_entity, unnest(counted_lower) f, unnest(counted) c where cardinality(counted) <= 32
) rows group by filter, element;

-- Any part of a text is found by its groups of three letters. Where the extension may not be made, text search reads every
-- entity.
do $$
begin
    create extension if not exists pg_trgm;
    create index catalog_entity_text_idx on catalog_entity using gin
        (name gin_trgm_ops, given_title gin_trgm_ops, description gin_trgm_ops, display_name gin_trgm_ops);
exception when others then
    raise warning 'Text search in the catalog will be slow: the extension pg_trgm cannot be used (%). As a superuser, run in '
        'this database: create extension pg_trgm; then: create index catalog_entity_text_idx on catalog_entity using gin '
        '(name gin_trgm_ops, given_title gin_trgm_ops, description gin_trgm_ops, display_name gin_trgm_ops);', sqlerrm;
end
$$;
