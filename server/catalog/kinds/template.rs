//! Template: a golden path (`@backstage/plugin-scaffolder-common` 2.3.0). What its steps and forms mean is checked
//! by the scaffolder.

use super::*;

const PERMISSIONS: Field = optional(
    "backstage:permissions",
    Form::Mapping(&[optional("tags", Form::AnyTexts)], None),
);
const ANY_MAPPING: Form = Form::Mapping(&[], None);
const CONDITION: Field = optional("if", Form::TextOrFlag);
const DECORATORS: Form = Form::Mappings(&[optional("id", Form::AnyText), optional("input", ANY_MAPPING)]);

pub(super) static RULES: Rules = Rules {
    name: "Template",
    api_versions: &["scaffolder.backstage.io/v1beta3"],
    fields: &[
        required("type", Form::Text, "what it makes, for example service or website"),
        optional("owner", Form::Text),
        optional("lifecycle", Form::Text),
        optional("parameters", Form::MappingOrMappings(&[PERMISSIONS])),
        optional("secrets", Form::Mapping(&[optional("schema", ANY_MAPPING)], None)),
        optional(
            "presentation",
            Form::Mapping(
                &[optional(
                    "buttonLabels",
                    Form::Mapping(
                        &[
                            optional("backButtonText", Form::AnyText),
                            optional("createButtonText", Form::AnyText),
                            optional("reviewButtonText", Form::AnyText),
                        ],
                        None,
                    ),
                )],
                None,
            ),
        ),
        optional(
            "EXPERIMENTAL_recovery",
            Form::Mapping(&[optional("EXPERIMENTAL_strategy", Form::AnyText)], None),
        ),
        optional("formDecorators", DECORATORS),
        optional("EXPERIMENTAL_formDecorators", DECORATORS),
        required(
            "steps",
            Form::Mappings(&[
                optional("id", Form::AnyText),
                optional("name", Form::AnyText),
                required(
                    "action",
                    Form::AnyText,
                    "the id of an action, for example fetch:template",
                ),
                optional("input", ANY_MAPPING),
                CONDITION,
                PERMISSIONS,
            ]),
            "the list of steps",
        ),
        optional(
            "output",
            Form::Mapping(
                &[
                    optional(
                        "links",
                        Form::Mappings(&[
                            CONDITION,
                            optional("url", Form::Text),
                            optional("entityRef", Form::Text),
                            optional("title", Form::Text),
                            optional("icon", Form::Text),
                        ]),
                    ),
                    optional(
                        "text",
                        Form::Mappings(&[
                            CONDITION,
                            optional("title", Form::Text),
                            optional("icon", Form::Text),
                            optional("content", Form::AnyText),
                        ]),
                    ),
                ],
                Some(&Form::AnyText),
            ),
        ),
    ],
    links: &[OWNED],
};
