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
    fn begin(&mut self, now: Instant) {
        self.open += 1;
        self.since.get_or_insert(now);
    }

    fn end(&mut self, now: Instant) {
        self.open = self.open.saturating_sub(1);
        if self.open == 0
            && let Some(since) = self.since.take()
        {
            self.ended += now.duration_since(since);
        }
    }

    fn until(&self, now: Instant) -> Duration {
        self.ended + self.since.map(|since| now.duration_since(since)).unwrap_or_default()
    }
}

/// A call that has not ended; a call that is given up ends, too.
struct Open;

impl Open {
    fn new() -> Self {
        // Work that nobody meters has nowhere to count.
        let _ = OUTSIDE.try_with(|outside| outside.borrow_mut().begin(Instant::now()));
        Self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let _ = OUTSIDE.try_with(|outside| outside.borrow_mut().end(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_at_the_same_time_count_once() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut outside = Outside::default();
        outside.begin(at(10));
        outside.begin(at(20));
        outside.end(at(30));
        assert_eq!(outside.until(at(35)), Duration::from_millis(25), "one has not ended");
        outside.end(at(40));
        outside.begin(at(100));
        outside.end(at(105));
        assert_eq!(outside.until(at(500)), Duration::from_millis(35));
    }

    #[tokio::test]
    async fn a_part_counts_for_the_whole_and_a_call_that_is_given_up_ends() {
        let given_up = async {
            let mut call = Box::pin(outside(std::future::pending::<()>()));
            assert!(futures::poll!(&mut call).is_pending());
            assert_eq!(OUTSIDE.with(|outside| outside.borrow().open), 1);
            drop(call);
            assert_eq!(OUTSIDE.with(|outside| outside.borrow().open), 0);
        };
        let (((), part), whole) = metered(metered(given_up)).await;
        assert!(part.outside > Duration::ZERO && part.outside <= part.whole, "{part:?}");
        assert_eq!(part.outside, whole.outside);
        assert!(whole.whole >= part.whole, "{whole:?}");
        assert_eq!(outside(async { 7 }).await, 7, "without a meter it is just done");
    }
}
