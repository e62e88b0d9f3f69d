-- One key an installation, made at its first start. Wrapped with a configured key where there is one.
create table installation_keys (
    id uuid not null constraint installation_keys_pkey primary key,
    -- The key itself, or, where `wrapped_by` is set, sealed with the configured key of that fingerprint.
    material bytea not null,
    wrapped_by text,
    created_at timestamptz not null,
    -- There is exactly one.
    single boolean not null default true
        constraint installation_keys_single_check check (single)
        constraint installation_keys_single_key unique
);
