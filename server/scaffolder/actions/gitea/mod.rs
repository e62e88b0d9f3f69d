//! Forgejo and Gitea: repositories, pull requests, settings, webhooks, secrets and variables of Actions, issues.

mod issue;
mod publish;
mod pull_request;
mod secret;
mod settings;
mod variable;
mod webhook;

pub use issue::CreateIssue;
pub use publish::PublishGitea;
pub use pull_request::PublishPullRequest;
pub use secret::SetSecret;
pub use settings::UpdateRepository;
pub use variable::SetVariable;
pub use webhook::EnsureWebhook;
