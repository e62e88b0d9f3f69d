//! Template: a golden path (`@backstage/plugin-scaffolder-common` 2.3.0). What its steps and forms hold is
//! checked by the scaffolder.

use super::*;

pub(super) const RULES: Rules = Rules {
    name: "Template",
    api_versions: &["scaffolder.backstage.io/v1beta3"],
    fields: &[
        required("type", Form::Text, "what it makes, for example service or website"),
        required("steps", Form::Mappings, "the list of steps"),
        optional("owner", Form::Text),
        optional("output", Form::Mapping),
    ],
    links: &[OWNED],
};
