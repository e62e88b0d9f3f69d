-- Changes of entities: each row has the document as it was before. What came after it is in the next row, or the entity as it
-- is now. A first reading leaves no row. By ref, so that an entity that goes and comes back keeps its history.
create table catalog_history (
    id bigint generated always as identity constraint catalog_history_pkey primary key,
    entity_ref text not null collate "C",
    at timestamptz not null,
    change text not null constraint catalog_history_change_check check (change in ('added', 'changed', 'removed')),
    -- As the API answered it; null where the entity was not there before.
    before text,
    -- `<type>:<target>` of the file that it was read from.
    source text not null,
    -- The file in its repository, the commit at which it was read now, and the one at which it had been read before.
    forge text,
    owner text,
    name text,
    path text,
    commit_id text,
    earlier_commit_id text,
    -- Who did it within the portal.
    actor text
);
create index catalog_history_entity_idx on catalog_history (entity_ref, id);
create index catalog_history_at_idx on catalog_history (at);
create index catalog_history_removed_idx on catalog_history (at) where change = 'removed';

do $$
begin
    alter table catalog_history alter column before set compression lz4;
exception when feature_not_supported then
    null;
end
$$;
