-- Sources that entities are read from: those of the configuration, and those that people or templates registered.
create table catalog_location (
    id uuid constraint catalog_location_pkey primary key,
    kind text not null constraint catalog_location_kind_check check (kind in ('url', 'file')),
    target text not null,
    -- Named in the configuration: nobody may delete it from within the portal.
    configured boolean not null,
    registered_by text,
    created_at timestamptz not null,
    -- When the read began whose outcome is stored; an older read that ends later is dropped.
    read_started_at timestamptz,
    -- When the source was last looked at, also when it was unchanged.
    checked_at timestamptz,
    -- When entities were last stored.
    read_at timestamptz,
    next_read_at timestamptz not null,
    -- Version of the program that read it: another one reads again.
    read_by text,
    -- The next read must not be skipped because no commit changed.
    stale boolean not null default true,
    failures integer not null default 0,
    failing_since timestamptz,
    -- List of problems: source, line, column, message, excerpt, entity, temporary.
    problems jsonb not null default '[]',
    -- Refs that the location describes but another location had first.
    claims text[] not null default '{}',
    constraint catalog_location_target_key unique (kind, target)
);
create index catalog_location_next_read_at_idx on catalog_location (next_read_at);

-- Repositories that a location's files lie in, and the commit at which they were read.
create table catalog_location_repository (
    location_id uuid not null
        constraint catalog_location_repository_location_fkey references catalog_location on delete cascade,
    forge text not null,
    owner text not null,
    name text not null,
    -- Branch, tag or commit as the URL names it; empty for the default branch.
    reference text not null,
    commit_id text not null,
    constraint catalog_location_repository_pkey primary key (location_id, forge, owner, name, reference)
);
create index catalog_location_repository_name_idx on catalog_location_repository (forge, owner, name);

create table catalog_entity (
    -- metadata.uid
    id uuid constraint catalog_entity_pkey primary key,
    -- Canonical, lower case.
    entity_ref text not null constraint catalog_entity_ref_key unique collate "C",
    kind text not null,
    namespace text not null,
    name text not null,
    -- For sorting and filtering of the list: lower case.
    title text not null,
    owner text,
    type text,
    lifecycle text,
    -- The document without relations, uid and etag. json, not jsonb: the order of keys counts, a
    -- template's form shows its fields in the order in which they are written.
    body json not null,
    -- sha1 of body; the etag that is given out covers the relations too.
    digest text not null,
    -- `key` and `key=value`, lower case: what filters, sorting and full text search look at.
    facets text[] not null,
    -- `key=value` with the value in its own case: what facet counts answer.
    originals text[] not null,
    -- Name, title, description, tags, owner in lower case: what the list's search box looks at.
    search text not null,
    location_id uuid not null
        constraint catalog_entity_location_fkey references catalog_location on delete cascade,
    -- `<type>:<target>` of the file that it is described in.
    source text not null,
    changed_at timestamptz not null,
    read_at timestamptz not null
);
create index catalog_entity_facets_idx on catalog_entity using gin (facets);
create index catalog_entity_kind_title_idx on catalog_entity (kind, title collate "C", entity_ref);
create index catalog_entity_location_idx on catalog_entity (location_id);

create table catalog_relation (
    -- The entity whose document says so, of either end.
    origin uuid not null constraint catalog_relation_origin_fkey references catalog_entity on delete cascade,
    source_ref text not null,
    type text not null,
    target_ref text not null,
    constraint catalog_relation_pkey primary key (origin, source_ref, type, target_ref)
);
create index catalog_relation_source_idx on catalog_relation (source_ref, type, target_ref);
create index catalog_relation_target_idx on catalog_relation (target_ref);
