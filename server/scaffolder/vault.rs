//! Where the secrets of running tasks are: in memory, and sealed in the database where a key is configured.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use uuid::Uuid;

use super::queries::Claimed;
use super::settings::SecretsKey;
use crate::keys::{open_with, seal_with};

pub struct Vault {
    key: Option<SecretsKey>,
    memory: Mutex<HashMap<Uuid, Value>>,
}

impl Vault {
    pub fn new(key: Option<SecretsKey>) -> Self {
        Self {
            key,
            memory: Mutex::default(),
        }
    }

    /// Keeps a task's secrets. What it returns is for the database; `None` where no key is configured.
    pub fn keep(&self, task_id: Uuid, secrets: &Value) -> Option<Vec<u8>> {
        match &self.key {
            Some(key) => Some(seal_with(&key.0, &purpose(task_id), secrets.to_string().as_bytes())),
            None => {
                self.memory
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(task_id, secrets.clone());
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
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.get(&task.id).cloned().ok_or_else(|| {
            "the task's secrets are gone with the process that had them: no key is configured (backend.auth.keys) \
             to keep them sealed; start the task again and give them anew"
                .to_owned()
        })
    }

    /// The task has ended.
    pub fn forget(&self, task_id: Uuid) {
        self.memory
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&task_id);
    }
}

fn purpose(task_id: Uuid) -> String {
    format!("secrets of task {task_id}")
}
