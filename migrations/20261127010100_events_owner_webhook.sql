-- A webhook without a name is for all repositories of its owner, also those that come.
alter table webhook alter column name drop not null;
alter table webhook drop constraint webhook_repository_key;
alter table webhook add constraint webhook_watched_key unique nulls not distinct (forge, owner, name);
