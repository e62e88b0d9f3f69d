//! What is in the image, in the form of CycloneDX 1.5: the crates that are linked into the program, and Debian's packages.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::cargo::Crate;
use crate::debian::Package;

/// The document. Without a serial number and with the time of the source, so that the same image has the same one.
pub fn of(
    crates: &BTreeSet<Crate>,
    packages: &BTreeMap<String, Package>,
    release: &str,
    version: &str,
    time: &str,
) -> Value {
    let mut components: Vec<Value> = Vec::new();
    for one in crates {
        // The program itself is what the document is about.
        if one.name == "portico" {
            continue;
        }
        let address = format!("pkg:cargo/{}@{}", one.name, one.version);
        let mut component = json!({
            "type": "library", "bom-ref": address, "name": one.name, "version": one.version, "purl": address,
        });
        if let Some(licence) = &one.license {
            // The old way to write OR.
            component["licenses"] = json!([{"expression": licence.replace('/', " OR ")}]);
        }
        components.push(component);
    }
    for one in packages.values() {
        let address = format!(
            "pkg:deb/debian/{}@{}?arch={}&distro=debian-{release}",
            one.name,
            encoded(&one.version),
            one.architecture
        );
        components.push(json!({
            "type": "library", "bom-ref": address, "name": one.name, "version": one.version, "purl": address,
            "properties": [{"name": "portico:debian-source", "value": one.source}],
        }));
    }
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": time,
            "component": {
                "type": "container", "bom-ref": "portico", "name": "portico", "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            },
        },
        "components": components,
    })
}

/// A version as the address of a package has it.
fn encoded(version: &str) -> String {
    version.replace('%', "%25").replace(':', "%3A").replace('+', "%2B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sorts_of_components_are_listed() {
        let crates: BTreeSet<Crate> = serde_json::from_value(json!([
            {"name": "portico", "version": "0.1.0", "license": "Apache-2.0", "id": "a"},
            {"name": "url", "version": "2.5.0", "license": "MIT/Apache-2.0", "id": "b"},
        ]))
        .unwrap();
        let git = Package {
            name: "git".to_owned(),
            version: "1:2.39.5-0+deb12u3".to_owned(),
            architecture: "amd64".to_owned(),
            source: "git".to_owned(),
            status: String::new(),
        };
        let packages = BTreeMap::from([("git".to_owned(), git)]);
        let bill = of(&crates, &packages, "12", "0.1.0", "2026-11-27T00:00:00Z");
        let purls: Vec<&str> = bill["components"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|one| one["purl"].as_str())
            .collect();
        assert_eq!(
            purls,
            [
                "pkg:cargo/url@2.5.0",
                "pkg:deb/debian/git@1%3A2.39.5-0%2Bdeb12u3?arch=amd64&distro=debian-12"
            ]
        );
        assert_eq!(bill["components"][0]["licenses"][0]["expression"], "MIT OR Apache-2.0");
    }
}
