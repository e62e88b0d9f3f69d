create table sessions (
    -- SHA-256 of the cookie's value; the value itself is nowhere.
    id_hash bytea not null constraint sessions_pkey primary key,
    provider text not null,
    entity_ref text not null,
    username text not null,
    display_name text not null,
    email text,
    groups text[] not null,
    -- Id and refresh token, sealed under a key that only the cookie's value gives.
    tokens bytea not null,
    created_at timestamptz not null,
    seen_at timestamptz not null,
    -- When the identity provider was asked last.
    checked_at timestamptz not null,
    expires_at timestamptz not null
);

create index sessions_expires_at_idx on sessions (expires_at);
