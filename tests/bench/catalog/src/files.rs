//! Description files of a made-up company: domains, groups, people, systems, resources, APIs and components that refer
//! to each other. The same size always gives the same files.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, IteratorRandom};
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The kinds, in the order in which they refer to each other. Each has files `<kind>-NNN.yaml`.
pub const KINDS: [&str; 7] = ["Domain", "Group", "User", "System", "Resource", "API", "Component"];
/// Documents of one file.
const PER_FILE: usize = 500;

const ADJECTIVES: &[&str] = &[
    "amber", "brisk", "calm", "daring", "eager", "fancy", "gentle", "icy", "jolly", "keen", "lively", "mellow",
    "noble", "proud", "quick", "royal", "sunny", "tidy", "urban", "vivid", "warm", "young", "zesty",
];
const NOUNS: &[&str] = &[
    "ledger",
    "checkout",
    "basket",
    "invoice",
    "payout",
    "catalog",
    "search",
    "profile",
    "session",
    "gateway",
    "router",
    "pricing",
    "shipping",
    "refund",
    "loyalty",
    "fraud",
    "risk",
    "audit",
    "mailer",
    "planner",
    "indexer",
    "crawler",
    "billing",
    "inventory",
    "tracker",
    "quote",
    "wallet",
    "onboarding",
];
const WORDS: &[&str] = &[
    "handles",
    "stores",
    "validates",
    "publishes",
    "aggregates",
    "reconciles",
    "renders",
    "schedules",
    "transforms",
    "archives",
    "customer",
    "order",
    "payment",
    "event",
    "document",
    "account",
    "shipment",
    "report",
    "metric",
    "message",
    "record",
    "token",
    "for",
    "across",
    "within",
    "between",
    "on",
    "behalf",
    "of",
    "internal",
    "external",
    "mobile",
    "partner",
    "regional",
    "global",
    "teams",
    "systems",
    "channels",
];
const TAGS: &[&str] = &[
    "java",
    "go",
    "rust",
    "python",
    "typescript",
    "kotlin",
    "ruby",
    "scala",
    "react",
    "angular",
    "grpc",
    "rest",
    "graphql",
    "kafka",
    "postgres",
    "redis",
    "aws",
    "gcp",
    "azure",
    "k8s",
    "lambda",
    "batch",
    "streaming",
    "pci",
    "gdpr",
    "internal",
    "public",
    "legacy",
    "beta",
    "tier1",
    "tier2",
    "tier3",
];
const LIFECYCLES: &[&str] = &["production", "production", "production", "experimental", "deprecated"];
const COMPONENT_TYPES: &[&str] = &["service", "service", "service", "website", "library", "documentation"];
const RESOURCE_TYPES: &[&str] = &["database", "s3-bucket", "queue", "cache", "topic"];

/// What the files hold that requests can ask for.
#[derive(Debug, Serialize, Deserialize)]
pub struct Manifest {
    pub samples: Samples,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Samples {
    /// Names of some entities.
    pub component: Vec<String>,
    pub group: Vec<String>,
    /// Parts of names and descriptions.
    pub fulltext: Vec<String>,
}

/// Writes the files of `entities` entities into a folder: by `generator`, a program that leaves a `manifest.json` of the
/// same form, or by this one.
pub fn make(entities: usize, folder: &Path, generator: Option<&Path>) -> Result<Manifest> {
    if let Some(generator) = generator {
        let made = Command::new(generator)
            .arg(entities.to_string())
            .arg(folder)
            .stdout(std::process::Stdio::null())
            .status()
            .with_context(|| format!("cannot run {}", generator.display()))?;
        ensure!(made.success(), "{} failed", generator.display());
        let text = std::fs::read(folder.join("manifest.json")).context("the generator left no manifest.json")?;
        return serde_json::from_slice(&text).context("manifest.json is not as expected");
    }
    ensure!(entities >= 100, "a company has at least 100 entities");
    let company = Company::of(entities);
    for (kind, documents) in &company.documents {
        for (index, part) in documents.chunks(PER_FILE).enumerate() {
            let path = folder.join(format!("{}-{index:03}.yaml", kind.to_lowercase()));
            let mut text = String::new();
            for document in part {
                writeln!(text, "---\n{}", serde_saphyr::to_string(document)?)?;
            }
            std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(company.manifest)
}

struct Company {
    documents: BTreeMap<&'static str, Vec<Value>>,
    manifest: Manifest,
}

/// Draws names and words, always the same ones.
struct Dice(StdRng);

impl Dice {
    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of.choose(&mut self.0).copied().unwrap_or_default()
    }

    fn name<'a>(&mut self, of: &'a [String]) -> &'a str {
        of.choose(&mut self.0).map_or("", String::as_str)
    }

    fn names(&mut self, of: &[String], most: usize) -> Vec<String> {
        let many = self.0.random_range(1..=most);
        of.iter().cloned().choose_multiple(&mut self.0, many)
    }

    fn sentence(&mut self, words: usize) -> String {
        let words: Vec<&str> = (0..words).map(|_| self.one(WORDS)).collect();
        format!("{}.", words.join(" "))
    }

    fn tags(&mut self) -> Vec<&'static str> {
        let many = self.0.random_range(1..=5);
        let mut tags = TAGS.iter().copied().choose_multiple(&mut self.0, many);
        tags.sort_unstable();
        tags
    }

    fn chance(&mut self, share: f64) -> bool {
        self.0.random_bool(share)
    }
}

fn entity(kind: &str, mut metadata: Value, spec: Value, description: String) -> Value {
    metadata["description"] = Value::String(description);
    json!({"apiVersion": "backstage.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
}

impl Company {
    fn of(entities: usize) -> Self {
        let mut dice = Dice(StdRng::seed_from_u64(42));
        let mut counts = [
            (entities / 100).clamp(2, 200),
            entities / 25,
            entities / 10,
            entities / 20,
            entities / 10,
            entities * 15 / 100,
            0,
        ];
        counts[6] = entities - counts.iter().sum::<usize>();
        let mut names: Vec<Vec<String>> = Vec::new();
        for (kind, count) in KINDS.iter().zip(counts) {
            let name = |n: usize| {
                format!(
                    "{}-{}-{}-{n:05}",
                    dice.one(ADJECTIVES),
                    dice.one(NOUNS),
                    kind.to_lowercase()
                )
            };
            names.push((0..count).map(name).collect());
        }
        let mut documents = BTreeMap::new();
        for (index, kind) in KINDS.into_iter().enumerate() {
            let made = (0..names[index].len()).map(|n| document(&mut dice, kind, index, n, &names));
            documents.insert(kind, made.collect());
        }
        let some = |names: &[String], many: usize| -> Vec<String> {
            names
                .iter()
                .step_by((names.len() / many).max(1))
                .take(many)
                .cloned()
                .collect()
        };
        let manifest = Manifest {
            samples: Samples {
                component: some(&names[6], 50),
                group: some(&names[1], 10),
                fulltext: ["ledger", "payout", "reconciles", "mellow-", "grpc"]
                    .map(str::to_owned)
                    .to_vec(),
            },
        };
        Self { documents, manifest }
    }
}

fn document(dice: &mut Dice, kind: &str, index: usize, n: usize, names: &[Vec<String>]) -> Value {
    let [domains, groups, _, systems, resources, apis, components] = names else {
        unreachable!("there are seven kinds");
    };
    let name = &names[index][n];
    let plain = json!({"name": name});
    let tagged = json!({"name": name, "tags": dice.tags()});
    let description = dice.sentence(10);
    match kind {
        "Domain" => entity(kind, tagged, json!({"owner": dice.name(groups)}), description),
        "Group" => {
            let profile = json!({"displayName": name, "email": format!("{name}@example.com")});
            let mut spec = json!({"type": "team", "profile": profile, "children": []});
            if n > groups.len() / 20 {
                spec["parent"] = json!(dice.name(&groups[..=groups.len() / 20]));
            }
            entity(kind, plain, spec, description)
        }
        "User" => {
            let profile = json!({"displayName": name, "email": format!("{name}@example.com")});
            let spec = json!({"profile": profile, "memberOf": dice.names(groups, 3)});
            entity(kind, plain, spec, description)
        }
        "System" => {
            let spec = json!({"owner": dice.name(groups), "domain": dice.name(domains)});
            entity(kind, tagged, spec, description)
        }
        "Resource" => {
            let spec =
                json!({"type": dice.one(RESOURCE_TYPES), "owner": dice.name(groups), "system": dice.name(systems)});
            entity(kind, tagged, spec, description)
        }
        "API" => {
            let mut definition = format!("openapi: 3.0.3\ninfo:\n  title: {name}\n  version: 1.0.0\npaths:\n");
            for _ in 0..dice.0.random_range(2..=6) {
                let (path, summary) = (dice.one(NOUNS), dice.sentence(5));
                let _ = write!(
                    definition,
                    "  /{path}:\n    get:\n      summary: {summary}\n      responses:\n        '200':\n          description: OK\n"
                );
            }
            let spec = json!({"type": "openapi", "lifecycle": dice.one(LIFECYCLES), "owner": dice.name(groups),
                "system": dice.name(systems), "definition": definition});
            entity(kind, tagged, spec, description)
        }
        _ => component(dice, tagged, name, n, (groups, systems, resources, apis, components)),
    }
}

type Others<'a> = (&'a [String], &'a [String], &'a [String], &'a [String], &'a [String]);

fn component(dice: &mut Dice, mut metadata: Value, name: &str, n: usize, others: Others<'_>) -> Value {
    let (groups, systems, resources, apis, components) = others;
    let mut spec = json!({"type": dice.one(COMPONENT_TYPES), "lifecycle": dice.one(LIFECYCLES),
        "owner": dice.name(groups), "system": dice.name(systems)});
    if dice.chance(0.35) {
        spec["providesApis"] = json!(dice.names(apis, 2));
    }
    if dice.chance(0.5) {
        spec["consumesApis"] = json!(dice.names(apis, 3));
    }
    if dice.chance(0.6) {
        let mut on: Vec<String> = dice
            .names(resources, 2)
            .iter()
            .map(|name| format!("resource:{name}"))
            .collect();
        if n > 0 {
            on.push(format!("component:{}", dice.name(&components[..n])));
        }
        spec["dependsOn"] = json!(on);
    }
    if dice.chance(0.5) {
        metadata["title"] = json!(name.replace('-', " "));
    }
    metadata["labels"] =
        json!({"example.com/tier": dice.one(&["1", "2", "3"]), "example.com/region": dice.one(&["eu", "us"])});
    metadata["annotations"] = json!({"example.com/project-slug": format!("example/{name}"),
        "example.com/cost-center": format!("CC-{}", dice.0.random_range(100..1000)),
        "example.com/channel": format!("#{name}")});
    metadata["links"] = json!([{"url": format!("https://grafana.example.com/d/{name}"), "title": "Dashboard"}]);
    let words = dice.0.random_range(6..=25);
    let description = dice.sentence(words);
    entity("Component", metadata, spec, description)
}
