-- What people have looked at lately. By ref, as stars are.
create table catalog_seen (
    user_ref text not null,
    entity_ref text not null,
    seen_at timestamptz not null,
    constraint catalog_seen_pkey primary key (user_ref, entity_ref)
);
