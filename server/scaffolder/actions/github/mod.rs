//! GitHub: the actions of `@backstage/plugin-scaffolder-backend-module-github` 0.10.0 that make and fill repositories.

mod options;
mod protection;
mod publish;
mod pull_request;
mod repo_create;
mod repo_push;

pub use publish::PublishGithub;
pub use pull_request::PublishPullRequest;
pub use repo_create::CreateRepository;
pub use repo_push::PushRepository;

use super::target::Target;
use crate::scm::Source;

/// Address of the files of a branch, as the field's actions give it out.
fn contents_url(target: &Target, branch: &str) -> String {
    let source = Source {
        repository: target.repository.clone(),
        reference: Some(branch.to_owned()),
        path: String::new(),
    };
    target.forge.web_url(&source, false)
}

fn main_branch() -> String {
    "main".to_owned()
}
