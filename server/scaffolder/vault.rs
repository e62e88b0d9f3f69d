//! Where the secrets of running tasks are: in memory, and sealed in the database where a key is configured. Files of tasks
//! may have secrets in them, too, and are kept the same way.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use uuid::Uuid;

use super::queries::Claimed;
use super::settings::SecretsKey;
use crate::keys::{open_with, seal_with};

/// What sealed archives of workspaces begin with. No other archive does.
const SEALED: &[u8] = b"sealed:";

pub struct Vault {
    key: Option<SecretsKey>,
    memory: Mutex<HashMap<Uuid, Kept>>,
}

/// What this process keeps of a task, where there is no key.
struct Kept {
    secrets: Value,
    files: Option<Vec<u8>>,
}

impl Vault {
    pub fn new(key: Option<SecretsKey>) -> Self {
        Self {
            key,
            memory: Mutex::default(),
        }
    }

    fn memory(&self) -> MutexGuard<'_, HashMap<Uuid, Kept>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a task's secrets. What it returns is for the database; `None` where no key is configured.
    pub fn keep(&self, task_id: Uuid, secrets: &Value) -> Option<Vec<u8>> {
        match &self.key {
            Some(key) => Some(seal_with(&key.0, &purpose(task_id), secrets.to_string().as_bytes())),
            None => {
                let kept = Kept {
                    secrets: secrets.clone(),
                    files: None,
                };
                self.memory().insert(task_id, kept);
                None
            }
        }
    }

    /// The secrets of a claimed task, an object; or why they are gone.
    pub fn open(&self, task: &Claimed) -> Result<Value, String> {
        if !task.has_secrets {
            return Ok(json!({}));
        }
        if let (Some(key), Some(sealed)) = (&self.key, &task.secrets) {
            let plain = open_with(&key.0, &purpose(task.id), sealed)
                .map_err(|error| format!("the task's secrets cannot be opened: {error}; start the task again"))?;
            return serde_json::from_slice(&plain).map_err(|error| format!("the task's secrets are damaged: {error}"));
        }
        self.memory()
            .get(&task.id)
            .map(|kept| kept.secrets.clone())
            .ok_or_else(|| {
                "the task's secrets are gone with the process that had them: no key is configured (backend.auth.keys) \
                 to keep them sealed; start the task again and give them anew"
                    .to_owned()
            })
    }

    /// Keeps the archive of a task's workspace. What it returns is for the database: sealed where a key is configured;
    /// `None` where there is none and secrets may be in it.
    pub fn keep_files(&self, task_id: Uuid, archive: Vec<u8>) -> Option<Vec<u8>> {
        if let Some(key) = &self.key {
            let sealed = seal_with(&key.0, &files_purpose(task_id), &archive);
            return Some([SEALED, &sealed].concat());
        }
        match self.memory().get_mut(&task_id) {
            Some(kept) => {
                kept.files = Some(archive);
                None
            }
            None => Some(archive),
        }
    }

    /// The archive of a task's workspace, as it was kept; `None` where there is none.
    pub fn open_files(&self, task_id: Uuid, stored: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, String> {
        let Some(stored) = stored else {
            return Ok(self.memory().get(&task_id).and_then(|kept| kept.files.clone()));
        };
        match (stored.strip_prefix(SEALED), &self.key) {
            (None, _) => Ok(Some(stored)),
            (Some(sealed), Some(key)) => open_with(&key.0, &files_purpose(task_id), sealed)
                .map(Some)
                .map_err(|error| format!("the task's files cannot be opened: {error}; start the task again")),
            (Some(_), None) => Err(
                "the task's files were sealed with a key that is not configured any more (backend.auth.keys)"
                    .to_owned(),
            ),
        }
    }

    /// The task has ended.
    pub fn forget(&self, task_id: Uuid) {
        self.memory().remove(&task_id);
    }
}

fn purpose(task_id: Uuid) -> String {
    format!("secrets of task {task_id}")
}

fn files_purpose(task_id: Uuid) -> String {
    format!("files of task {task_id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_sealed_or_stay_in_memory_where_secrets_may_be_in_them() {
        let archive = b"an archive with hush-hush in it".to_vec();
        let (with_secrets, without) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let sealing = Vault::new(Some(SecretsKey([7; 32])));
        let sealed = sealing.keep_files(without, archive.clone()).unwrap();
        assert!(!sealed.windows(4).any(|part| part == b"hush"));
        assert_eq!(
            sealing.open_files(without, Some(sealed.clone())),
            Ok(Some(archive.clone()))
        );
        assert!(
            sealing.open_files(with_secrets, Some(sealed.clone())).is_err(),
            "those of another task"
        );
        let keyless = Vault::new(None);
        assert!(keyless.open_files(without, Some(sealed)).is_err());
        assert_eq!(keyless.keep_files(without, archive.clone()), Some(archive.clone()));
        keyless.keep(with_secrets, &json!({"token": "hush-hush"}));
        assert_eq!(keyless.keep_files(with_secrets, archive.clone()), None);
        assert_eq!(keyless.open_files(with_secrets, None), Ok(Some(archive)));
        keyless.forget(with_secrets);
        assert_eq!(keyless.open_files(with_secrets, None), Ok(None));
    }
}
