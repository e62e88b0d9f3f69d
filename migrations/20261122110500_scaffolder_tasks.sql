-- A task is a durable record: whoever holds its lease may write to it, and goes on from its checkpoints.
create table scaffolder_task (
    id                uuid        not null,
    template_ref      text        not null,
    title             text        not null,
    -- As the API gives it out. Secrets are never in it.
    spec              jsonb       not null,
    status            text        not null,
    created_by        text        not null,
    created_at        timestamptz not null,
    started_at        timestamptz,
    finished_at       timestamptz,
    last_heartbeat_at timestamptz,
    -- A new value at each claim: a worker that lost the lease can be told from one that got it again.
    lease_owner       uuid,
    lease_until       timestamptz,
    -- The worker's last write: one whose answer was lost is recognised when it is sent again.
    last_write        uuid,
    -- Number of the next event: events of a task are numbered without gaps under the lock of its row.
    next_event        bigint      not null default 1,
    has_secrets       boolean     not null default false,
    -- Sealed with the configured key; null where there is none, or none is needed any more.
    secrets           bytea,
    output            jsonb,
    error             jsonb,
    constraint scaffolder_task_pkey primary key (id),
    constraint scaffolder_task_status_check
        check (status in ('open', 'processing', 'completed', 'failed', 'cancelled')),
    constraint scaffolder_task_lease_check
        check ((lease_owner is null) = (lease_until is null) and (lease_owner is null or status = 'processing')),
    constraint scaffolder_task_title_check check (title <> '')
);

create index scaffolder_task_created_idx on scaffolder_task (created_by, created_at desc);
create index scaffolder_task_due_idx on scaffolder_task (created_at) where status in ('open', 'processing');

-- One row a step of the template: its checkpoint.
create table scaffolder_task_step (
    task_id      uuid        not null,
    position     integer     not null,
    id           text        not null,
    name         text        not null,
    action       text        not null,
    status       text        not null default 'waiting',
    -- How often a worker has begun it.
    attempt      integer     not null default 0,
    input_digest text,
    output       jsonb,
    -- Outputs of the finished iterations of a step with `each`, in order.
    iterations   jsonb       not null default '[]',
    reason       text,
    started_at   timestamptz,
    finished_at  timestamptz,
    constraint scaffolder_task_step_pkey primary key (task_id, position),
    constraint scaffolder_task_step_id_key unique (task_id, id),
    constraint scaffolder_task_step_task_fkey foreign key (task_id) references scaffolder_task (id) on delete cascade,
    constraint scaffolder_task_step_status_check
        check (status in ('waiting', 'processing', 'completed', 'failed', 'skipped', 'cancelled'))
);

create table scaffolder_task_event (
    task_id    uuid        not null,
    id         bigint      not null,
    type       text        not null,
    body       jsonb       not null,
    created_at timestamptz not null,
    constraint scaffolder_task_event_pkey primary key (task_id, id),
    constraint scaffolder_task_event_task_fkey foreign key (task_id) references scaffolder_task (id) on delete cascade,
    constraint scaffolder_task_event_type_check check (type in ('log', 'completion', 'cancelled', 'recovered'))
);

-- What a step is about to do elsewhere, or has decided for good, committed before it does it: a second
-- run recognises its own work by it.
create table scaffolder_task_intent (
    task_id     uuid        not null,
    step_id     text        not null,
    key         text        not null,
    data        jsonb       not null,
    recorded_at timestamptz not null,
    constraint scaffolder_task_intent_pkey primary key (task_id, step_id, key),
    constraint scaffolder_task_intent_task_fkey foreign key (task_id) references scaffolder_task (id) on delete cascade
);

create index scaffolder_task_intent_key_idx on scaffolder_task_intent (key);

-- What a task has made elsewhere, so that it can be shown and undone.
create table scaffolder_task_effect (
    task_id    uuid        not null,
    step_id    text        not null,
    kind       text        not null,
    reference  text        not null,
    url        text,
    created_at timestamptz not null,
    constraint scaffolder_task_effect_pkey primary key (task_id, kind, reference),
    constraint scaffolder_task_effect_task_fkey foreign key (task_id) references scaffolder_task (id) on delete cascade,
    constraint scaffolder_task_effect_kind_check check (kind in ('repository', 'application', 'location'))
);

-- The files of a task as its last finished step left them: tar, compressed with zstd.
create table scaffolder_workspace (
    task_id   uuid        not null,
    archive   bytea       not null,
    stored_at timestamptz not null,
    constraint scaffolder_workspace_pkey primary key (task_id),
    constraint scaffolder_workspace_task_fkey foreign key (task_id) references scaffolder_task (id) on delete cascade
);
