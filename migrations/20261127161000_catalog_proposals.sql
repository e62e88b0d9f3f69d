-- Description files that somebody has proposed by a pull request. Once it is merged, the file is registered on their behalf.
create table catalog_proposal (
    id uuid constraint catalog_proposal_pkey primary key,
    -- Address of the file, where it will be.
    target text not null constraint catalog_proposal_target_key unique,
    forge text not null,
    owner text not null,
    name text not null,
    -- Of the pull request.
    number bigint not null,
    url text not null,
    proposed_by text not null,
    proposed_at timestamptz not null,
    -- When the forge is asked again what has become of it; pushes are a reason to ask at once.
    next_look_at timestamptz not null
);
create index catalog_proposal_next_look_at_idx on catalog_proposal (next_look_at);
