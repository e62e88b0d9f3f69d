//! User: a person.

use super::*;

pub(super) static RULES: Rules = Rules {
    name: "User",
    api_versions: BACKSTAGE,
    fields: &[
        required("memberOf", SORTED, "a list of groups, [] where there are none"),
        PROFILE,
    ],
    links: &[link("memberOf", "memberOf", "hasMember", Some("Group"))],
};
