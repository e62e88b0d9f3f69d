-- The list of all kinds is in the order of titles: without this, each of its pages sorts every entity.
create index catalog_entity_title_idx on catalog_entity (title collate "C", entity_ref);
