//! Location: more files to read.

use super::*;

pub(super) static RULES: Rules = Rules {
    name: "Location",
    api_versions: BACKSTAGE,
    fields: &[
        optional("type", Form::Text),
        optional("target", Form::Text),
        optional("targets", Form::Texts { sorted: false }),
        optional("presence", Form::OneOf(&["required", "optional"])),
    ],
    links: &[],
};
