use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::catalog::EntityRef;
use crate::scaffolder::actions::{Action, ActionError, Context, Example};
use crate::scaffolder::model::{Waiting, iso};

/// The decision itself wakes the task.
const LOOK_AFTER: Duration = Duration::from_secs(3600);
const TIMEOUT: Duration = Duration::from_secs(7 * 24 * 3600);
/// As much of a message as is read before one decides.
const MESSAGE_LIMIT: usize = 4000;

/// `portico:wait:approval`: until somebody says yes.
pub struct WaitForApproval;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// Who may decide: refs of users and groups. A name alone is a group's.
    approvers: Approvers,
    /// What they are asked, in Markdown.
    #[serde(default)]
    message: String,
    /// Who has started the task may decide as well, where it is one of the approvers.
    #[serde(default)]
    self_approval: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Approvers {
    One(String),
    Several(Vec<String>),
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Ref of who approved.
    approved_by: String,
    approved_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
}

#[async_trait::async_trait]
impl Action for WaitForApproval {
    const ID: &'static str = "portico:wait:approval";
    const DESCRIPTION: &'static str = "Waits until one of the approvers approves, a week at most unless the step has a timeout. \
                                       A rejection fails the step. They find what waits for them at /create/approvals.";
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Ask the platform team before anything is created",
        example: "\
steps:
  - id: approval
    action: portico:wait:approval
    timeout: {days: 3}
    input:
      approvers: [group:default/platform]
      message: \"${{ parameters.name }} needs a database of its own.\"
",
    }];
    type Input = Input;
    type Output = Output;

    async fn run(&self, cx: &Context, input: Input) -> Result<Output, ActionError> {
        if let Some(decision) = cx.decision().await? {
            let comment = decision.comment.filter(|comment| !comment.is_empty());
            if decision.approved {
                return Ok(Output {
                    approved_by: decision.by,
                    approved_at: iso(decision.at),
                    comment,
                });
            }
            let why = comment.map(|comment| format!(": {comment}")).unwrap_or_default();
            return Err(ActionError::Settled(format!("{} rejected it{why}", decision.by)));
        }
        let waiting = Waiting::Approval {
            by: refs(input.approvers)?,
            own: input.self_approval,
            message: input.message.chars().take(MESSAGE_LIMIT).collect(),
        };
        Err(cx.pause(waiting, LOOK_AFTER, TIMEOUT))
    }
}

/// Canonical refs, each once.
fn refs(approvers: Approvers) -> Result<Vec<String>, ActionError> {
    let given = match approvers {
        Approvers::One(one) => vec![one],
        Approvers::Several(several) => several,
    };
    let mut refs = Vec::with_capacity(given.len());
    for text in given {
        let entity_ref = EntityRef::parse(text.trim(), Some("group"), None)
            .map_err(|error| ActionError::Input(format!("approvers: \"{text}\" is no ref: {error}")))?;
        if !matches!(entity_ref.kind.to_lowercase().as_str(), "group" | "user") {
            return Err(ActionError::Input(format!(
                "approvers: \"{text}\" is neither a user nor a group"
            )));
        }
        let text = entity_ref.to_string().to_lowercase();
        if !refs.contains(&text) {
            refs.push(text);
        }
    }
    if refs.is_empty() {
        return Err(ActionError::Input(
            "approvers: nobody is named who may decide".to_owned(),
        ));
    }
    Ok(refs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn approvers_are_users_and_groups() {
        let several = |refs: &[&str]| Approvers::Several(refs.iter().map(|text| (*text).to_owned()).collect());
        assert_eq!(
            refs(several(&["platform", "user:Jane", "group:default/platform"])).unwrap(),
            ["group:default/platform", "user:default/jane"]
        );
        assert_eq!(
            refs(Approvers::One("admin".to_owned())).unwrap(),
            ["group:default/admin"]
        );
        for wrong in [several(&[]), several(&["component:x"]), several(&[""])] {
            assert!(refs(wrong).is_err());
        }
    }
}
