-- Keys that sign the tokens of users; each signs for a while and is published until its last token is over.
create table signing_keys (
    -- `kid` of the tokens.
    id uuid constraint signing_keys_pkey primary key,
    -- SEC1, uncompressed.
    public_key bytea not null,
    -- Sealed with the installation's key.
    private_key bytea not null,
    signs_until timestamptz not null,
    published_until timestamptz not null
);
