//! For tests: the outside without anything in it.

use sqlx::PgPool;

use super::{Outside, alone};
use crate::clock::Clock;

/// No forge, no Argo CD, an empty catalog.
pub fn outside(db: &PgPool, clock: &Clock) -> Outside {
    // Whoever comes second finds it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    alone::nothing_outside(db, clock).unwrap()
}

/// As [`outside`], with a catalog whose database is never reached.
pub fn nothing_outside() -> Outside {
    let db = alone::no_database().unwrap();
    outside(&db, &Clock::system())
}
