//! `portico check-migration`: what of a Backstage works here, works differently, or is missing.

mod known;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::catalog::{self, InFile, Kinds};
use crate::config::{self, CatalogLocation, Standing};
use crate::scaffolder::actions::{self, Registry};

use super::kinds_of_files;
use known::{ACTIONS, ANNOTATIONS, find};

/// How much of it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Works,
    Differs,
    Missing,
}

/// One key, action or annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationLine {
    /// Where it stands, and its name.
    pub what: String,
    pub verdict: Verdict,
    /// How it differs, or what to use; empty where it works.
    pub says: String,
}

/// All of them, in the order of the files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migration {
    pub configuration: Vec<MigrationLine>,
    pub templates: Vec<MigrationLine>,
    pub annotations: Vec<MigrationLine>,
    /// What was not looked at, and why.
    pub not_read: Vec<String>,
}

/// Looks at the configuration, and at templates and entities of those locations in it that are files.
///
/// # Errors
/// Where a file of the configuration, or one that a location names, cannot be read.
pub async fn check_migration(files: &[PathBuf]) -> anyhow::Result<Migration> {
    let mut migration = Migration::default();
    for explained in config::explain(files, None)? {
        // Our own defaults come from no Backstage.
        if explained.is_default() {
            continue;
        }
        let what = format!("{}: {}", explained.from, explained.key);
        migration.configuration.push(match explained.standing {
            Standing::Obeyed => line(what, Verdict::Works, ""),
            Standing::Differs(how) => line(what, Verdict::Differs, how),
            Standing::Ignored(instead) => line(what, Verdict::Missing, instead),
            Standing::Unknown(Some(nearest)) => {
                let says = format!("nothing uses it; is {nearest} meant?");
                line(what, Verdict::Missing, says)
            }
            Standing::Unknown(None) => line(what, Verdict::Missing, "nothing uses it; leave it out"),
        });
    }
    // What is wrong in these is for `config check` to tell in full.
    let kinds = kinds_of_files(files).or_else(|error| {
        migration.not_read.push(error.to_string());
        Kinds::new(&[])
    })?;
    let locations = match config::load_part::<Vec<CatalogLocation>>(files, "catalog.locations") {
        Ok(part) => part.value.unwrap_or_default(),
        Err(error) => {
            migration.not_read.push(error.to_string());
            Vec::new()
        }
    };
    let registry = actions::shipped();
    let mut seen = BTreeSet::new();
    for location in locations {
        if location.kind != "file" {
            let address = format!("{}: an address; make a checkout and name it as a file", location.target);
            migration.not_read.push(address);
            continue;
        }
        let path = beside(&location.target, files);
        migration.read(&path, &kinds, &registry, &mut seen).await?;
    }
    Ok(migration)
}

/// Relative to the current folder, as the portal has it; else to a file of the configuration.
fn beside(target: &str, files: &[PathBuf]) -> PathBuf {
    let path = PathBuf::from(target);
    let elsewhere = files.iter().filter_map(|file| Some(file.parent()?.join(target)));
    std::iter::once(path.clone())
        .chain(elsewhere)
        .find(|path| path.exists())
        .unwrap_or(path)
}

fn line(what: String, verdict: Verdict, says: impl Into<String>) -> MigrationLine {
    MigrationLine {
        what,
        verdict,
        says: says.into(),
    }
}

impl Migration {
    async fn read(
        &mut self,
        path: &Path,
        kinds: &Kinds,
        registry: &Registry,
        seen: &mut BTreeSet<(String, String)>,
    ) -> anyhow::Result<()> {
        let (entities, problems) = catalog::read_files(path, kinds).await?;
        for entity in entities {
            // Several locations may name one file.
            if !seen.insert((entity.file.clone(), entity.entity_ref.to_string())) {
                continue;
            }
            self.annotations(&entity);
            if entity.entity_ref.kind == "template" {
                self.template(&entity, registry);
            }
        }
        self.not_read.extend(problems);
        Ok(())
    }

    fn template(&mut self, template: &InFile, registry: &Registry) {
        let steps = template.body.pointer("/spec/steps").and_then(Value::as_array);
        for (index, step) in steps.into_iter().flatten().enumerate() {
            let Some(action) = step.get("action").and_then(Value::as_str) else {
                continue;
            };
            let id = step.get("id").and_then(Value::as_str);
            let step = id.map_or_else(|| format!("step {}", index + 1), |id| format!("step {id}"));
            let what = format!("{}: {}: {step}: {action}", template.file, template.entity_ref);
            let known = find(ACTIONS, action);
            self.templates.push(match (registry.find(action), known) {
                (Some(_), Some((_, Verdict::Differs, how))) => line(what, Verdict::Differs, *how),
                (Some(_), _) => line(what, Verdict::Works, ""),
                (None, Some((.., instead))) => line(what, Verdict::Missing, *instead),
                (None, None) => line(what, Verdict::Missing, ""),
            });
        }
    }

    fn annotations(&mut self, entity: &InFile) {
        let annotations = entity.body.pointer("/metadata/annotations").and_then(Value::as_object);
        let own = ["backstage.io/managed-by-", "backstage.io/orphan"];
        for (name, _) in annotations.into_iter().flatten() {
            // Set by reading, whatever the file says.
            if own.iter().any(|own| name.starts_with(own)) || READ.contains(&name.as_str()) {
                continue;
            }
            let what = format!("{}: {}: {name}", entity.file, entity.entity_ref);
            self.annotations.push(match find(ANNOTATIONS, name) {
                Some((_, verdict, says)) => line(what, *verdict, *says),
                None => line(what, Verdict::Works, "kept, shown and found; nothing else uses it"),
            });
        }
    }
}

/// Annotations that reading a file adds.
const READ: [&str; 3] = [
    "backstage.io/source-location",
    "backstage.io/view-url",
    "backstage.io/edit-url",
];

impl fmt::Display for Migration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = Vec::new();
        for (title, lines) in [
            ("Configuration", &self.configuration),
            ("Actions of templates", &self.templates),
            ("Annotations", &self.annotations),
        ] {
            if lines.is_empty() {
                continue;
            }
            writeln!(f, "{title}")?;
            for MigrationLine { what, verdict, says } in lines {
                let verdict = match verdict {
                    Verdict::Works => "works",
                    Verdict::Differs => "works differently",
                    Verdict::Missing => "missing",
                };
                match says.is_empty() {
                    true => writeln!(f, "  {what}: {verdict}")?,
                    false => writeln!(f, "  {what}: {verdict}: {says}")?,
                }
            }
            all.extend(lines);
        }
        if !self.not_read.is_empty() {
            writeln!(f, "Not looked at")?;
            for text in &self.not_read {
                writeln!(f, "  {text}")?;
            }
        }
        let count = |wanted: Verdict| all.iter().filter(|line| line.verdict == wanted).count();
        writeln!(
            f,
            "{} work, {} work differently, {} are missing.",
            count(Verdict::Works),
            count(Verdict::Differs),
            count(Verdict::Missing)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "\
app: {title: Portal, analytics: {ga: {id: x}}}
techdocs: {builder: local}
integrations: {gitlab: [{host: gitlab.com, token: hunter2}]}
catalog:
  locations:
    - {type: file, target: all.yaml}
    - {type: url, target: 'https://forge.test/a/b/src/branch/main/catalog-info.yaml'}
";
    const ENTITIES: &str = "\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: demo
  annotations:
    backstage.io/techdocs-ref: dir:.
    backstage.io/kubernetes-id: demo
    github.com/project-slug: a/b
    example.com/own: x
spec: {type: service, lifecycle: production, owner: guests}
---
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: new}
spec:
  owner: guests
  type: service
  parameters: []
  steps:
    - {id: fetch, action: 'fetch:template', input: {url: ./skeleton}}
    - {id: publish, action: 'publish:gitlab', input: {}}
    - {id: apply, action: 'cnoe:kubernetes:apply', input: {}}
    - {id: own, action: 'acme:deploy', input: {}}
";

    #[tokio::test]
    async fn each_thing_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("app-config.yaml");
        std::fs::write(&config, CONFIG).unwrap();
        std::fs::write(folder.path().join("all.yaml"), ENTITIES).unwrap();
        let text = check_migration(std::slice::from_ref(&config))
            .await
            .unwrap()
            .to_string();
        assert!(!text.contains("hunter2"), "{text}");
        for expected in [
            "app-config.yaml:1:14: app.title: works\n",
            "app.analytics.ga.id: missing: nothing is sent",
            "techdocs.builder: works differently: documentation is read",
            "integrations.gitlab[0].host: missing: only Forgejo",
            "all.yaml: component:default/demo: backstage.io/techdocs-ref: works differently",
            "backstage.io/kubernetes-id: missing: workloads",
            "github.com/project-slug: missing: commits",
            "example.com/own: works: kept",
            "template:default/new: step fetch: fetch:template: works\n",
            "step publish: publish:gitlab: missing: GitLab",
            "step apply: cnoe:kubernetes:apply: works differently: certificates",
            "step own: acme:deploy: missing: use one of the actions",
            "catalog-info.yaml: an address; make a checkout",
        ] {
            assert!(text.contains(expected), "{expected} in:\n{text}");
        }
        assert!(!text.contains("built-in defaults"), "{text}");

        std::fs::remove_file(folder.path().join("all.yaml")).unwrap();
        let error = check_migration(&[config]).await.unwrap_err().to_string();
        assert!(error.contains("all.yaml cannot be read"), "{error}");
    }

    /// What is said to differ is there, and what is said to be missing is not.
    #[test]
    fn known_actions_are_those_of_the_registry() {
        let registry = actions::shipped();
        for (name, verdict, says) in ACTIONS {
            match verdict {
                Verdict::Missing => assert!(!says.is_empty() && registry.find(name).is_none(), "{name}"),
                _ => assert!(registry.find(name).is_some(), "{name}"),
            }
        }
    }
}
