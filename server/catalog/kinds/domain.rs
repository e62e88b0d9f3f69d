//! Domain: systems of one part of the business.

use super::*;

pub(super) static RULES: Rules = Rules {
    name: "Domain",
    api_versions: BACKSTAGE,
    fields: &[OWNER, optional("subdomainOf", Form::Text), optional("type", Form::Text)],
    links: &[OWNED, link("subdomainOf", "partOf", "hasPart", Some("Domain"))],
};
