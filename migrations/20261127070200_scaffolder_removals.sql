-- A task that removes what another one has made.
alter table scaffolder_task
    add column undoes uuid,
    add constraint scaffolder_task_undoes_fkey foreign key (undoes) references scaffolder_task (id) on delete set null;

-- One at a time.
create unique index scaffolder_task_undoes_idx on scaffolder_task (undoes) where status in ('open', 'processing');

comment on column scaffolder_workspace.archive is
    'Sealed where a key is configured; otherwise as it was, and there is none of tasks with secrets.';

alter table scaffolder_task_effect
    -- What has become of it, where a task of this portal has removed it.
    add column removed text,
    add column removed_at timestamptz,
    add constraint scaffolder_task_effect_removed_check check (removed in ('deleted', 'archived')),
    add constraint scaffolder_task_effect_removed_at_check check ((removed is null) = (removed_at is null));
