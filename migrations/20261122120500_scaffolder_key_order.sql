-- jsonb forgets the order of keys, and order means something here: `each` over an object, answers as they were asked.
alter table scaffolder_task
    alter column spec type json using spec::json,
    alter column output type json using output::json;
alter table scaffolder_task_step
    alter column output type json using output::json,
    alter column iterations drop default;
alter table scaffolder_task_step
    alter column iterations type json using iterations::json;
alter table scaffolder_task_step
    alter column iterations set default '[]';
