//! Answers for many at once: what is asked while an answer is being fetched is answered together, by the next one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use tokio::sync::oneshot;

/// Questions of one round.
const MOST: usize = 256;

type Fetch<Q, A> = dyn Fn(Vec<Q>) -> BoxFuture<'static, Result<A, sqlx::Error>> + Send + Sync;
type Answered<A> = Result<A, Arc<sqlx::Error>>;

/// Fetches answers in rounds, one at a time: whoever asks during a round takes part in the next, so no answer is older
/// than its question, and a crowd costs little more than one. Cheap to clone.
pub struct Rounds<Q, A>(Arc<Inner<Q, A>>);

struct Inner<Q, A> {
    fetch: Box<Fetch<Q, A>>,
    state: Mutex<State<Q, A>>,
}

struct State<Q, A> {
    asked: Vec<(Q, oneshot::Sender<Answered<A>>)>,
    under_way: bool,
}

impl<Q, A> Clone for Rounds<Q, A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<Q: Send + 'static, A: Clone + Send + 'static> Rounds<Q, A> {
    /// `fetch` gets all questions of a round and makes what every one of them is answered from.
    pub fn new<F>(fetch: impl Fn(Vec<Q>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<A, sqlx::Error>> + Send + 'static,
    {
        Self(Arc::new(Inner {
            fetch: Box::new(move |questions| Box::pin(fetch(questions))),
            state: Mutex::new(State {
                asked: Vec::new(),
                under_way: false,
            }),
        }))
    }

    /// What a round answers that begins after this call. Its error is that of everybody in the round.
    pub async fn ask(&self, question: Q) -> Answered<A> {
        let (sender, receiver) = oneshot::channel();
        let idle = {
            let mut state = self.0.state();
            state.asked.push((question, sender));
            !std::mem::replace(&mut state.under_way, true)
        };
        if idle {
            // Apart from the one who asks: that request may be given up while others wait for its round.
            tokio::spawn(self.clone().run());
        }
        // Lost where fetching panicked.
        receiver
            .await
            .unwrap_or_else(|_| Err(Arc::new(sqlx::Error::WorkerCrashed)))
    }

    async fn run(self) {
        let mut ended = Ended(&self.0);
        while let Some(round) = ended.next() {
            let (questions, askers): (Vec<_>, Vec<_>) = round.into_iter().unzip();
            let answer = (self.0.fetch)(questions).await.map_err(Arc::new);
            for asker in askers {
                // It may have been given up.
                let _ = asker.send(answer.clone());
            }
        }
    }
}

impl<Q, A> Inner<Q, A> {
    fn state(&self) -> MutexGuard<'_, State<Q, A>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rounds that go on until nobody asks; one that panics takes nobody after it along.
struct Ended<'a, Q, A>(&'a Inner<Q, A>);

impl<Q, A> Ended<'_, Q, A> {
    fn next(&mut self) -> Option<Vec<(Q, oneshot::Sender<Answered<A>>)>> {
        let mut state = self.0.state();
        if state.asked.is_empty() {
            state.under_way = false;
            return None;
        }
        let size = state.asked.len().min(MOST);
        Some(state.asked.drain(..size).collect())
    }
}

impl<Q, A> Drop for Ended<'_, Q, A> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut state = self.0.state();
            state.asked.clear();
            state.under_way = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn who_asks_during_a_round_shares_the_next() {
        let rounds = Arc::new(AtomicUsize::new(0));
        let counted = rounds.clone();
        let fetched = Rounds::new(move |questions: Vec<usize>| {
            let round = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                tokio::task::yield_now().await;
                Ok((round, questions))
            }
        });
        let asked = (0..5).map(|question| fetched.ask(question));
        let answers = futures::future::join_all(asked).await;
        for (question, answer) in answers.into_iter().enumerate() {
            let (round, questions) = answer.unwrap();
            assert!(questions.contains(&question), "{question} {questions:?}");
            assert_eq!(round, 0, "all were asked before it began");
        }
        let mut first = Box::pin(fetched.ask(7));
        assert!(futures::poll!(&mut first).is_pending());
        tokio::task::yield_now().await;
        let second = fetched.ask(8);
        let (first, second) = futures::join!(first, second);
        assert_eq!((first.unwrap(), second.unwrap()), ((1, vec![7]), (2, vec![8])));
    }

    #[tokio::test]
    async fn a_failed_round_fails_those_in_it_only() {
        let fetched = Rounds::new(|questions: Vec<&str>| async move {
            match questions[0] {
                "panics" => panic!("as asked"),
                "fails" => Err(sqlx::Error::PoolTimedOut),
                _ => Ok(()),
            }
        });
        for (question, expected) in [("panics", "worker"), ("fails", "pool timed out")] {
            let error = fetched.ask(question).await.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        // One that was given up does not hold up the others.
        let mut gone = Box::pin(fetched.ask("gone"));
        assert!(futures::poll!(&mut gone).is_pending());
        drop(gone);
        fetched.ask("fine").await.unwrap();
    }
}
