//! Tells the forge, at the commit, whether the descriptions in a repository are right: who pushes sees it there.

use super::read::{Checked, Problem};
use super::{Catalog, LocationState};
use crate::scm::{CommitStatus, Repository, ScmError};

/// Name of the check on the forge.
const CONTEXT: &str = "portico/catalog";

impl Catalog {
    /// Reports errors, and once that they are mended. Nothing waits for it; a forge that does not take it is let be.
    pub(super) fn report_statuses(&self, location: &LocationState, checked: &[Checked], problems: &[Problem]) {
        let before: Vec<Repository> = self.repositories_of(&location.problems);
        let now: Vec<Repository> = self.repositories_of(problems);
        for checked in checked {
            let (wrong, was_wrong) = (now.contains(&checked.repository), before.contains(&checked.repository));
            if !wrong && !was_wrong {
                continue;
            }
            let own = |problem: &&Problem| self.repository_of(problem).as_ref() == Some(&checked.repository);
            let first = problems.iter().find(own);
            let count = problems.iter().filter(own).count();
            let status = CommitStatus {
                failed: wrong,
                context: CONTEXT.to_owned(),
                description: match (first, count) {
                    (None, _) => "The catalog has read all entities".to_owned(),
                    (Some(problem), 1) => problem.message.clone(),
                    (Some(problem), many) => format!("{} (and {} more)", problem.message, many - 1),
                },
                url: format!("{}/catalog/locations/{}", self.config().base_url, location.id),
            };
            let (catalog, checked) = (self.clone(), checked.clone());
            tokio::spawn(async move {
                let Ok(forge) = catalog.sources().forge_of(&checked.repository) else {
                    return;
                };
                match forge.report_status(&checked.repository, &checked.commit, &status).await {
                    Ok(()) => {}
                    Err(error @ ScmError::Denied { .. }) => {
                        tracing::debug!(%error, name = checked.repository.name, "a commit status is not wanted");
                    }
                    Err(error) => {
                        tracing::warn!(%error, name = checked.repository.name, "a commit status could not be reported");
                    }
                }
            });
        }
    }

    /// Repositories in whose files something is wrong that somebody can mend there.
    fn repositories_of(&self, problems: &[Problem]) -> Vec<Repository> {
        let lasting = problems.iter().filter(|problem| !problem.temporary);
        lasting.filter_map(|problem| self.repository_of(problem)).collect()
    }

    fn repository_of(&self, problem: &Problem) -> Option<Repository> {
        let located = self.sources().locate(&problem.source).ok()?;
        Some(located.source.repository)
    }
}
