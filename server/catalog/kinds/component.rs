//! Component: a piece of software.

use super::*;

pub(super) static RULES: Rules = Rules {
    name: "Component",
    api_versions: BACKSTAGE,
    fields: &[
        required("type", Form::Text, "for example service, website or library"),
        required(
            "lifecycle",
            Form::Text,
            "for example experimental, production or deprecated",
        ),
        OWNER,
        optional("system", Form::Text),
        optional("subcomponentOf", Form::Text),
        optional("providesApis", SORTED),
        optional("consumesApis", SORTED),
        optional("dependsOn", SORTED),
    ],
    links: &[
        OWNED,
        PART_OF_SYSTEM,
        link("subcomponentOf", "partOf", "hasPart", Some("Component")),
        link("providesApis", "providesApi", "apiProvidedBy", Some("API")),
        link("consumesApis", "consumesApi", "apiConsumedBy", Some("API")),
        DEPENDS_ON,
        DEPENDENCY_OF,
    ],
};
