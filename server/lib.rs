//! Portico, a self-hosted developer portal. The modules stand in layer order: each may use only
//! what stands below it (`tests/it/layers.rs` checks it); `server/README.md` walks through them.

/// L5: composition. Configuration becomes adapters, state, router, workers; the only place that knows all.
pub mod app;

/// L4, the base of the others: `/catalog`, `/api/catalog`.
pub mod catalog;
/// L4: `/catalog/…/definition`: what definitions of APIs say.
pub mod definitions;
/// L4: Argo CD Applications beside entities.
pub mod deployments;
/// L4: `/docs`, `/api/techdocs`: documentation beside the code.
pub mod docs;
/// L4: `/api/events`: webhooks in, and their registration.
pub mod events;
/// L4: `/`, `/home`, `/settings`.
pub mod home;
/// L4: `/login`, `/logout`, `/api/auth/…`.
pub mod login;
/// L4: `/create`, `/api/scaffolder`.
pub mod scaffolder;

/// L3: what every page shares: shell, errors, extractors, headers, static files.
pub mod web;

/// L2: who calls and what the caller may do.
pub mod auth;

/// L1: port to Argo CD.
pub mod gitops;
/// L1: port to the OpenID Connect provider.
pub mod identity;
/// L1: Kubernetes clients from configuration.
pub mod kubernetes;
/// L1: port to git forges.
pub mod scm;

/// L0: time, passed in.
pub mod clock;
/// L0: app-config: loading, merging, typed values.
pub mod config;
/// L0: the connection pool and its migrations.
pub mod db;
/// L0: identifiers.
pub mod ids;
/// L0: keys that seal what must survive and derive what must be shared.
pub mod keys;
/// L0: what pages say, in English and German; numbers and times in words.
pub mod language;
/// L0: the one constructor for HTTP clients.
pub mod outbound;
/// L0: logs, and how much of a piece of work others took.
pub mod telemetry;
