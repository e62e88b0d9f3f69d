-- argocd:create-resources makes a project beside the Application.
alter table scaffolder_task_effect drop constraint scaffolder_task_effect_kind_check;
alter table scaffolder_task_effect add constraint scaffolder_task_effect_kind_check
    check (kind in ('repository', 'application', 'project', 'location', 'object', 'pull-request', 'issue'));
