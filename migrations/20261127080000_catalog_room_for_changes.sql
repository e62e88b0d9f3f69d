-- Relations of an entity, and counts, change far more often than what indexes look at. Room left in their pages lets a change
-- stay in its page, where no index has to know of it.
alter table catalog_entity set (fillfactor = 60);
alter table catalog_count set (fillfactor = 60);

-- That an entity says the same relation once is kept by its writer. What is asked for is the origin: a key of all columns is
-- four times as large and no use to anybody.
alter table catalog_relation drop constraint catalog_relation_pkey;
create index catalog_relation_origin_idx on catalog_relation (origin);
