-- When the source of an entity was missed first; it goes after a grace period.
alter table catalog_entity add column orphaned_at timestamptz;
create index catalog_entity_orphaned_at_idx on catalog_entity (location_id, orphaned_at) where orphaned_at is not null;

-- Locations that a provider of the configuration found: `gitea:<id>`. They go when it finds them no more.
alter table catalog_location add column discovered_by text;

-- `identity`: people and groups that an identity provider told of at their login.
alter table catalog_location drop constraint catalog_location_kind_check;
alter table catalog_location
    add constraint catalog_location_kind_check check (kind in ('url', 'file', 'identity'));
