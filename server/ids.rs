//! Identifiers: uuid v7, so that they sort by the time they were made.

use uuid::{NoContext, Timestamp, Uuid};

use crate::clock::Clock;

/// A new identifier, made at the clock's time.
pub fn new_id(clock: &Clock) -> Uuid {
    let now = clock.now();
    let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.timestamp_subsec_nanos()))
}
