-- A task that waits holds no worker. It stays in `processing`, has no lease, and is taken up again at `wake_at`.
alter table scaffolder_task
    add column wake_at timestamptz,
    add constraint scaffolder_task_wake_check check (wake_at is null or (status = 'processing' and lease_owner is null));

create index scaffolder_task_wake_idx on scaffolder_task (wake_at) where wake_at is not null;

alter table scaffolder_task_step
    -- Tries that have failed since the step was begun.
    add column tries integer not null default 0,
    -- When the running try began: its timeout counts from here.
    add column tried_at timestamptz,
    -- What the step stands still for, since when, and until when at most.
    add column waits json,
    add column waits_since timestamptz,
    add column waits_until timestamptz,
    -- What the action was given, without secrets: a list, with an item for each iteration.
    add column inputs json,
    add constraint scaffolder_task_step_waits_check
        check ((waits is null) = (waits_since is null) and (waits is null) = (waits_until is null));

-- Somebody is asked whether a step may go on. The row stays, so that it can be told later who decided what.
create table scaffolder_approval (
    id         uuid        not null,
    task_id    uuid        not null,
    step_id    text        not null,
    -- The step, with the iteration where it has several.
    step_key   text        not null,
    -- Refs of the users and groups that may decide.
    approvers  text[]      not null,
    -- Who started the task may decide as well.
    own        boolean     not null,
    message    text        not null,
    asked_at   timestamptz not null,
    decision   text,
    decided_by text,
    decided_at timestamptz,
    comment    text,
    -- The task was tried again, and asks anew.
    superseded boolean     not null default false,
    constraint scaffolder_approval_pkey primary key (id),
    constraint scaffolder_approval_task_fkey foreign key (task_id) references scaffolder_task (id) on delete cascade,
    constraint scaffolder_approval_decision_check check (decision in ('approved', 'rejected')),
    constraint scaffolder_approval_decided_check
        check ((decision is null) = (decided_by is null) and (decision is null) = (decided_at is null))
);

create unique index scaffolder_approval_current_idx on scaffolder_approval (task_id, step_key) where not superseded;
