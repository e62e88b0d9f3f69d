//! How long work takes, and how much of that other systems take: what remains is ours.

use std::cell::RefCell;
use std::time::{Duration, Instant};

/// Of a piece of work that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// From its begin to its end.
    pub whole: Duration,
    /// While at least one other system was being waited for.
    pub outside: Duration,
}

/// Of the work that goes on.
#[derive(Default)]
struct Outside {
    /// Calls that have not ended, and since when there is one.
    open: u32,
    since: Option<Instant>,
    ended: Duration,
}

tokio::task_local! {
    static OUTSIDE: RefCell<Outside>;
}

/// Does the work and says what it took. What it hands to other tasks of the runtime counts as its own.
pub async fn metered<T>(work: impl Future<Output = T>) -> (T, Spent) {
    let begun = Instant::now();
    let counted = async {
        let done = work.await;
        let outside = OUTSIDE.with(|outside| outside.borrow().until(Instant::now()));
        (done, outside)
    };
    let (done, outside) = OUTSIDE.scope(RefCell::default(), counted).await;
    let whole = begun.elapsed();
    // It may be a part of other work that is metered.
    let _ = OUTSIDE.try_with(|around| around.borrow_mut().ended += outside);
    (done, Spent { whole, outside })
}

/// Waits for another system. The ports have all that they send in here.
pub async fn outside<T>(call: impl Future<Output = T>) -> T {
    let _open = Open::new();
    call.await
}

impl Spent {
    /// Milliseconds of the whole, and of the part that was ours, for a log line.
    pub fn milliseconds(&self) -> (f64, f64) {
        let own = self.whole.saturating_sub(self.outside);
        (self.whole.as_secs_f64() * 1e3, own.as_secs_f64() * 1e3)
    }
}

impl Outside {
    fn until(&self, now: Instant) -> Duration {
        self.ended + self.since.map(|since| now.duration_since(since)).unwrap_or_default()
    }
}

/// A call that has not ended; a call that is given up ends, too.
struct Open;

impl Open {
    fn new() -> Self {
        // Work that nobody meters has nowhere to count.
        let _ = OUTSIDE.try_with(|outside| {
            let mut outside = outside.borrow_mut();
            outside.open += 1;
            outside.since.get_or_insert_with(Instant::now);
        });
        Self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let _ = OUTSIDE.try_with(|outside| {
            let mut outside = outside.borrow_mut();
            outside.open = outside.open.saturating_sub(1);
            if outside.open == 0
                && let Some(since) = outside.since.take()
            {
                outside.ended += since.elapsed();
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    const PAUSE: Duration = Duration::from_millis(40);

    #[tokio::test]
    async fn calls_at_the_same_time_count_once() {
        let ((), spent) = metered(async {
            sleep(PAUSE).await;
            outside(async { tokio::join!(outside(sleep(PAUSE)), outside(sleep(PAUSE))) }).await;
            outside(sleep(PAUSE)).await;
        })
        .await;
        assert!(spent.outside >= 2 * PAUSE, "{spent:?}");
        assert!(spent.whole >= spent.outside + PAUSE, "{spent:?}");
        // One after the other they would be four pauses, whatever the machine adds to each.
        let ((), one_by_one) = metered(async {
            for _ in 0..4 {
                outside(sleep(PAUSE)).await;
            }
        })
        .await;
        assert!(one_by_one.outside > spent.outside, "{one_by_one:?} {spent:?}");
    }

    #[tokio::test]
    async fn what_a_part_waited_for_the_whole_waited_for() {
        let (part, whole) = metered(async { metered(outside(sleep(PAUSE))).await.1 }).await;
        assert_eq!(part.outside, whole.outside);
    }

    #[tokio::test]
    async fn a_call_that_is_given_up_ends() {
        let ((), spent) = metered(async {
            let _ = tokio::time::timeout(PAUSE, outside(std::future::pending::<()>())).await;
            sleep(PAUSE).await;
        })
        .await;
        assert!(spent.whole >= spent.outside + PAUSE, "{spent:?}");
        assert_eq!(outside(async { 7 }).await, 7, "without a meter it is just done");
    }
}
