//! Resource: what software needs to run, such as a database or a bucket.

use super::*;

pub(super) static RULES: Rules = Rules {
    name: "Resource",
    api_versions: BACKSTAGE,
    fields: &[
        required("type", Form::Text, "for example database, bucket or cluster"),
        OWNER,
        optional("system", Form::Text),
        optional("dependsOn", SORTED),
    ],
    links: &[OWNED, PART_OF_SYSTEM, DEPENDS_ON, DEPENDENCY_OF],
};
