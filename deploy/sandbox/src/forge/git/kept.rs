//! What git answered of objects by their ids, which never changes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Answers that are kept; all are forgotten when there are more.
const ROOM: usize = 1_000;
/// A longer answer is not kept.
const LONGEST: usize = 64 * 1024;

/// Repository and command.
type Asked = (PathBuf, Vec<String>);

#[derive(Debug, Default)]
pub struct Kept(Mutex<HashMap<Asked, Vec<u8>>>);

impl Kept {
    pub fn get(&self, asked: &Asked) -> Option<Vec<u8>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(asked)
            .cloned()
    }

    pub fn put(&self, asked: Asked, answer: &[u8]) {
        if answer.len() > LONGEST {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= ROOM {
            kept.clear();
        }
        kept.insert(asked, answer.to_owned());
    }
}
