-- Webhooks that the portal keeps on forges, one a repository. Their secrets are derived from the
-- portal's key and this id, so they stand nowhere.
create table webhook (
    id uuid constraint webhook_pkey primary key,
    forge text not null,
    owner text not null,
    name text not null,
    -- wanted: not registered yet, or the last try failed; registered; denied: the account may not.
    state text not null default 'wanted'
        constraint webhook_state_known check (state in ('wanted', 'registered', 'denied')),
    -- Why the last try did not succeed.
    error text,
    failures integer not null default 0,
    -- When the registration is tried or verified next.
    next_check_at timestamptz not null,
    last_delivery_at timestamptz,
    constraint webhook_repository_key unique (forge, owner, name)
);

create index webhook_next_check_at_idx on webhook (next_check_at);
