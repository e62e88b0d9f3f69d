//! Descriptions of a made-up company: domains, groups, people, systems, resources, APIs and components that refer to each
//! other. The same size always gives the same files.

use std::path::Path;

use serde_json::{Value, json};

/// Documents of one file.
const PER_FILE: usize = 500;

const AREAS: [&str; 12] = [
    "payments",
    "commerce",
    "logistics",
    "identity",
    "platform",
    "data",
    "growth",
    "support",
    "finance",
    "content",
    "mobile",
    "security",
];
const THINGS: [&str; 14] = [
    "ledger", "checkout", "basket", "invoice", "payout", "search", "profile", "session", "gateway", "router",
    "pricing", "refund", "audit", "wallet",
];
const WORDS: [&str; 16] = [
    "handles",
    "stores",
    "validates",
    "publishes",
    "reconciles",
    "renders",
    "customer",
    "order",
    "payment",
    "account",
    "report",
    "token",
    "for",
    "across",
    "internal",
    "teams",
];
const TAGS: [&str; 16] = [
    "java", "go", "rust", "python", "kotlin", "react", "grpc", "rest", "kafka", "postgres", "redis", "aws", "batch",
    "public", "legacy", "tier1",
];

/// Entities by kind, in the order in which they refer to each other.
pub struct Company {
    documents: Vec<(&'static str, Vec<Value>)>,
}

impl Company {
    /// A company of so many entities, a hundred at least, of which about half are components.
    pub fn of(entities: usize) -> Self {
        let count = |share: usize| entities * share / 100;
        let counts = [
            ("Domain", count(1)),
            ("Group", count(4)),
            ("User", count(10)),
            ("System", count(5)),
            ("Resource", count(10)),
            ("API", count(15)),
        ];
        let others: usize = counts.iter().map(|(_, count)| count).sum();
        let counts = counts.into_iter().chain([("Component", entities - others)]);
        let sizes: Vec<(&str, usize)> = counts.clone().collect();
        let documents = counts
            .map(|(kind, count)| (kind, (0..count).map(|number| entity(kind, number, &sizes)).collect()))
            .collect();
        Self { documents }
    }

    /// Name of the component with this number.
    pub fn component(number: usize) -> String {
        name("Component", number)
    }

    /// Writes a repository's files: a Location and what it names.
    pub fn write(&self, folder: &Path) {
        let mut targets = Vec::new();
        for (kind, documents) in &self.documents {
            for (index, part) in documents.chunks(PER_FILE).enumerate() {
                let file = format!("{}-{index:03}.yaml", kind.to_lowercase());
                // JSON is YAML.
                let text: String = part.iter().map(|document| format!("---\n{document}\n")).collect();
                std::fs::write(folder.join(&file), text).expect("a file");
                targets.push(format!("./{file}"));
            }
        }
        let location = json!({
            "apiVersion": "backstage.io/v1alpha1", "kind": "Location", "metadata": {"name": "company"},
            "spec": {"targets": targets},
        });
        std::fs::write(folder.join("catalog-info.yaml"), location.to_string()).expect("a file");
    }
}

/// One of a list: near numbers give different ones.
fn pick<'a>(of: &[&'a str], number: usize) -> &'a str {
    of[number.wrapping_mul(7919) % of.len()]
}

fn name(kind: &str, number: usize) -> String {
    let (area, thing) = (pick(&AREAS, number), pick(&THINGS, number / 3));
    match kind {
        "Domain" => format!("{area}-{number}"),
        "Group" => format!("team-{thing}-{number:04}"),
        "User" => format!("{thing}.{area}.{number:05}"),
        _ => format!("{area}-{thing}-{}-{number:05}", kind.to_lowercase()),
    }
}

fn entity(kind: &str, number: usize, sizes: &[(&str, usize)]) -> Value {
    let other = |kind: &str, step: usize| {
        let size = sizes
            .iter()
            .find(|(known, _)| *known == kind)
            .map_or(1, |(_, size)| *size);
        name(kind, number.wrapping_mul(31).wrapping_add(step) % size.max(1))
    };
    let description: Vec<&str> = (0..8 + number % 12)
        .map(|word| pick(&WORDS, number + word * 5))
        .collect();
    let tags: Vec<&str> = (0..1 + number % 4)
        .map(|tag| TAGS[(number + tag * 3) % TAGS.len()])
        .collect();
    let name = name(kind, number);
    let mut metadata = json!({"name": name, "description": description.join(" "), "tags": tags});
    let owned = |mut spec: Value| {
        spec["owner"] = json!(other("Group", 1));
        spec["system"] = json!(other("System", 2));
        spec
    };
    let spec = match kind {
        "Domain" => json!({"owner": other("Group", 1)}),
        "Group" => json!({"type": "team", "children": [], "profile": {"displayName": name.replace('-', " ")}}),
        "User" => json!({"memberOf": [other("Group", 1)], "profile": {"email": format!("{name}@company.test")}}),
        "System" => json!({"owner": other("Group", 1), "domain": other("Domain", 2)}),
        "Resource" => owned(json!({"type": "database"})),
        "API" => owned(json!({"type": "openapi", "lifecycle": "production", "definition": "openapi: 3.0.3"})),
        _ => {
            metadata["annotations"] = json!({"company.test/cost-center": format!("CC-{number}")});
            metadata["links"] = json!([{"url": format!("https://company.test/{name}"), "title": "Dashboard"}]);
            owned(json!({
                "type": pick(&["service", "website", "library"], number),
                "lifecycle": pick(&["production", "experimental", "deprecated"], number / 2),
                "providesApis": [other("API", 3)],
                "consumesApis": [other("API", 4), other("API", 5)],
                "dependsOn": [format!("resource:default/{}", other("Resource", 6))],
            }))
        }
    };
    json!({"apiVersion": "backstage.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
}
