-- What was typed into a form whose session had ended, until its author has logged in again.
create table kept_forms (
    id uuid not null constraint kept_forms_pkey primary key,
    path text not null,
    -- The urlencoded form, sealed under a key that only the browser's cookie gives.
    body bytea not null,
    expires_at timestamptz not null
);

create index kept_forms_expires_at_idx on kept_forms (expires_at);
