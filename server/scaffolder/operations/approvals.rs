//! Questions that steps ask: who sees them, who decides.

use serde_json::Value;
use uuid::Uuid;

use super::TaskError;
use crate::auth::Caller;
use crate::scaffolder::Scaffolder;
use crate::scaffolder::model::Task;
use crate::scaffolder::queries::{self, Approval, ApprovalFilter, Decision};

/// As much of a comment as is kept.
const COMMENT_LIMIT: usize = 1000;

/// A question that waits, and the task that it belongs to.
#[derive(Debug, Clone)]
pub struct Asked {
    pub approval: Approval,
    pub task: Task,
    /// The task's answers, without passwords.
    pub answers: Value,
    /// The caller may decide; one's own task others decide.
    pub may_decide: bool,
}

impl Scaffolder {
    /// The questions that wait and that the caller is asked, oldest first; administrators see all.
    pub async fn approvals(&self, caller: &Caller) -> Result<Vec<Asked>, sqlx::Error> {
        let refs = caller.ownership_refs();
        let filter = ApprovalFilter {
            id: None,
            task_id: None,
            approvers: (!caller.is_admin()).then_some(refs.as_slice()),
            open: true,
        };
        let mut asked = Vec::new();
        for approval in queries::list_approvals(self.db(), filter).await? {
            if let Some(task) = queries::find_task(self.db(), approval.task_id).await? {
                asked.push(Asked {
                    answers: self.shown_answers(&task.spec).await.0,
                    may_decide: may_decide(caller, &approval).is_ok(),
                    approval,
                    task,
                });
            }
        }
        Ok(asked)
    }

    /// How many questions wait for the caller's word.
    pub async fn count_approvals(&self, caller: &Caller) -> Result<usize, sqlx::Error> {
        let refs = caller.ownership_refs();
        let filter = ApprovalFilter {
            id: None,
            task_id: None,
            approvers: Some(&refs),
            open: true,
        };
        let asked = queries::list_approvals(self.db(), filter).await?;
        Ok(asked
            .iter()
            .filter(|approval| may_decide(caller, approval).is_ok())
            .count())
    }

    /// The questions of one task that wait.
    pub async fn approvals_of(&self, task_id: Uuid) -> Result<Vec<Approval>, sqlx::Error> {
        let filter = ApprovalFilter {
            id: None,
            task_id: Some(task_id),
            approvers: None,
            open: true,
        };
        queries::list_approvals(self.db(), filter).await
    }

    /// Decides a question, once and for all, and gives it back.
    pub async fn decide(
        &self,
        caller: &Caller,
        id: Uuid,
        approved: bool,
        comment: &str,
    ) -> Result<Approval, TaskError> {
        let approval = queries::find_approval(self.db(), id)
            .await?
            .ok_or(TaskError::NoApproval(id))?;
        may_decide(caller, &approval)?;
        if !approval.is_open {
            return Err(TaskError::Decided);
        }
        let comment = comment.trim().replace('\0', "\u{fffd}");
        let decision = Decision {
            approved,
            by: caller.actor(),
            at: self.clock().now(),
            comment: (!comment.is_empty()).then(|| comment.chars().take(COMMENT_LIMIT).collect()),
        };
        if !queries::decide(self.db(), &approval, &decision).await? {
            return Err(TaskError::Decided);
        }
        tracing::info!(task = %approval.task_id, step = %approval.step_id, approved, actor = %decision.by, "approval decided");
        Ok(approval)
    }
}

/// One of the approvers, or an administrator, and nobody on behalf of oneself unless the template allows it.
pub fn may_decide(caller: &Caller, approval: &Approval) -> Result<(), TaskError> {
    let refs = caller.ownership_refs();
    let asked = refs
        .iter()
        .any(|own| approval.approvers.iter().any(|asked| asked.eq_ignore_ascii_case(own)));
    if !asked && !caller.is_admin() {
        Err(TaskError::NotAsked)
    } else if caller.actor() == approval.created_by && !approval.own {
        Err(TaskError::OwnTask)
    } else {
        Ok(())
    }
}
