//! API: an interface that components provide and consume.

use super::*;

pub(super) static RULES: Rules = Rules {
    name: "API",
    api_versions: BACKSTAGE,
    fields: &[
        required("type", Form::Text, "for example openapi, asyncapi, graphql or grpc"),
        required(
            "lifecycle",
            Form::Text,
            "for example experimental, production or deprecated",
        ),
        OWNER,
        required(
            "definition",
            Form::Text,
            "the definition itself, or {$text: ./openapi.yaml}",
        ),
        optional("system", Form::Text),
    ],
    links: &[OWNED, PART_OF_SYSTEM],
};
