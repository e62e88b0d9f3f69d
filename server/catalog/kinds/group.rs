//! Group: a team or a unit of the organisation.

use super::*;

pub(super) static RULES: Rules = Rules {
    name: "Group",
    api_versions: BACKSTAGE,
    fields: &[
        required("type", Form::Text, "for example team, department or organization"),
        required("children", SORTED, "a list of groups, [] where there are none"),
        PROFILE,
        optional("parent", Form::Text),
        optional("members", SORTED),
    ],
    links: &[
        link("parent", "childOf", "parentOf", Some("Group")),
        link("children", "parentOf", "childOf", Some("Group")),
        link("members", "hasMember", "memberOf", Some("User")),
    ],
};
