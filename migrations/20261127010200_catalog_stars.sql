-- What people have starred. By ref, so that a star outlives an entity that goes and comes back.
create table catalog_star (
    user_ref text not null,
    entity_ref text not null,
    starred_at timestamptz not null,
    constraint catalog_star_pkey primary key (user_ref, entity_ref)
);
