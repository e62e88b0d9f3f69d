//! What one render may use. Every step of work is paid for here, so that no template runs for ever.

use std::cell::Cell;

use super::error::Fault;

/// Bounds of one render.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Steps: nodes evaluated, iterations, elements and characters that filters walk over.
    pub steps: u64,
    /// UTF-16 units of the rendered text.
    pub output: usize,
    /// UTF-16 units of all texts made on the way.
    pub scratch: usize,
    /// Nested tags, brackets and macro calls.
    pub depth: usize,
    /// Elements of one array.
    pub elements: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            steps: 1_000_000,
            output: 16 * 1024 * 1024,
            scratch: 64 * 1024 * 1024,
            depth: 150,
            elements: 100_000,
        }
    }
}

/// What is left of the [`Limits`] of a render.
pub(super) struct Budget {
    pub limits: Limits,
    steps: Cell<u64>,
    scratch: Cell<usize>,
    depth: Cell<usize>,
}

impl Budget {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            steps: Cell::new(limits.steps),
            scratch: Cell::new(limits.scratch),
            depth: Cell::new(0),
        }
    }

    /// Pays for `steps` of work.
    pub fn spend(&self, steps: usize) -> Result<(), Fault> {
        match self.steps.get().checked_sub(steps as u64) {
            Some(left) => {
                self.steps.set(left);
                Ok(())
            }
            None => Err(Fault::limit(format!(
                "the template does more work than the limit of {} steps allows; does it loop?",
                self.limits.steps
            ))),
        }
    }

    /// Pays for a text of `units` that is about to be made.
    pub fn allocate(&self, units: usize) -> Result<(), Fault> {
        match self.scratch.get().checked_sub(units) {
            Some(left) => {
                self.scratch.set(left);
                self.spend(units / 256)
            }
            None => Err(Fault::limit(format!(
                "the template makes more text than the limit of {} characters allows",
                self.limits.scratch
            ))),
        }
    }

    /// Checks the size that an array is about to have.
    pub fn elements(&self, count: usize) -> Result<(), Fault> {
        if count > self.limits.elements {
            return Err(Fault::limit(format!(
                "an array would have more than the limit of {} elements",
                self.limits.elements
            )));
        }
        Ok(())
    }

    /// Goes one level deeper, while `inner` runs.
    pub fn deeper<T, E: From<Fault>>(&self, inner: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let depth = self.depth.get();
        if depth >= self.limits.depth {
            return Err(E::from(Fault::limit(format!(
                "the template nests deeper than the limit of {} levels; does a macro call itself?",
                self.limits.depth
            ))));
        }
        self.depth.set(depth + 1);
        let result = inner();
        self.depth.set(depth);
        result
    }
}
