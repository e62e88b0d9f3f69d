-- One replica looks through the repositories of a provider at a time: when the next scan is due.
create table catalog_scan (
    -- As in catalog_location.discovered_by.
    provider text constraint catalog_scan_pkey primary key,
    -- What was looked for: other settings are a reason to look at once.
    settings text not null,
    next_scan_at timestamptz not null
);

-- A forge tells names in any case.
create index catalog_location_repository_lower_idx
    on catalog_location_repository (forge, lower(owner), lower(name));
