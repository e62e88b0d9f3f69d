//! How the default branch is protected.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::scaffolder::actions::Context;
use crate::scaffolder::actions::target::Target;
use crate::scm::{BranchProtection, Github, ScmError};

/// What `publish:github` and `github:repo:push` have in common: a part of their inputs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Protection {
    /// Protect the default branch; true by default.
    #[serde(default = "yes")]
    protect_default_branch: bool,
    /// The protection holds for administrators, too; true by default.
    #[serde(default = "yes")]
    protect_enforce_admins: bool,
    /// The owners of the code that is changed have to approve.
    #[serde(default)]
    require_code_owner_reviews: bool,
    /// New commits take earlier approvals back.
    #[serde(default)]
    dismiss_stale_reviews: bool,
    /// Who may merge without a pull request.
    bypass_pull_request_allowances: Option<People>,
    /// How many have to approve, 0 to 6; 1 by default.
    #[serde(default = "one")]
    required_approving_review_count: u8,
    /// Who may push at all.
    restrictions: Option<People>,
    /// Checks that have to succeed.
    #[serde(default)]
    required_status_check_contexts: Vec<String>,
    /// Branches have to be up to date before they are merged; true by default.
    #[serde(default = "yes")]
    require_branches_to_be_up_to_date: bool,
    /// All conversations have to be resolved.
    #[serde(default)]
    required_conversation_resolution: bool,
    /// Somebody else than who pushed last has to approve.
    #[serde(default)]
    require_last_push_approval: bool,
    /// Commits have to be signed.
    #[serde(default)]
    required_commit_signing: bool,
    /// No commits of merges.
    #[serde(default)]
    required_linear_history: bool,
}

/// Users, teams and apps by their names.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
struct People {
    #[serde(skip_serializing_if = "Option::is_none")]
    apps: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    users: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    teams: Option<Vec<String>>,
}

fn yes() -> bool {
    true
}

fn one() -> u8 {
    1
}

impl Protection {
    /// Protects the branch. As in the field's action, a protection that GitHub refuses (it costs money for private
    /// repositories) is told of, and the step goes on.
    pub async fn apply(&self, cx: &Context, github: &Github, target: &Target, branch: &str) {
        if !self.protect_default_branch {
            return;
        }
        let protection = self.rules();
        let mut done = github.protect_branch(&target.repository, branch, &protection).await;
        if matches!(done, Err(ScmError::NotFound { .. })) {
            // A branch that was just pushed.
            tokio::time::sleep(Duration::from_millis(600)).await;
            done = github.protect_branch(&target.repository, branch, &protection).await;
        }
        cx.log(match done {
            Ok(()) => format!("Protected the branch {branch}"),
            Err(error) => format!("The branch {branch} is not protected: {error}"),
        });
    }

    fn rules(&self) -> BranchProtection {
        let mut reviews = json!({
            "required_approving_review_count": self.required_approving_review_count,
            "require_code_owner_reviews": self.require_code_owner_reviews,
            "dismiss_stale_reviews": self.dismiss_stale_reviews,
            "require_last_push_approval": self.require_last_push_approval,
        });
        if let Some(people) = &self.bypass_pull_request_allowances {
            reviews["bypass_pull_request_allowances"] = json!(people);
        }
        let rules = json!({
            "required_status_checks": {
                "strict": self.require_branches_to_be_up_to_date,
                "contexts": self.required_status_check_contexts,
            },
            "restrictions": self.restrictions,
            "enforce_admins": self.protect_enforce_admins,
            "required_pull_request_reviews": reviews,
            "required_conversation_resolution": self.required_conversation_resolution,
            "required_linear_history": self.required_linear_history,
            "block_creations": false,
        });
        BranchProtection {
            rules,
            signed: self.required_commit_signing,
        }
    }
}
