//! System: components, APIs and resources that belong together.

use super::*;

pub(super) static RULES: Rules = Rules {
    name: "System",
    api_versions: BACKSTAGE,
    fields: &[OWNER, optional("domain", Form::Text), optional("type", Form::Text)],
    links: &[OWNED, link("domain", "partOf", "hasPart", Some("Domain"))],
};
