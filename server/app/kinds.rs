//! `portico.catalog.kinds` as the catalog takes them.

use std::path::PathBuf;

use crate::catalog::{ColumnDeclaration, KindDeclaration, Kinds, RelationDeclaration};
use crate::config::{self, Config, ConfigError, DeclaredKind, Part, Words};
use crate::language::Text;

const KEY: &str = "portico.catalog.kinds";

/// Every kind that there is with this configuration.
///
/// # Errors
/// Where a declaration cannot be used: says file, line and key.
pub fn kinds(config: &Config) -> Result<Kinds, ConfigError> {
    let declarations: Vec<KindDeclaration> = config.portico.catalog.kinds.iter().map(declaration).collect();
    Kinds::new(&declarations).map_err(|error| config.wrong(&format!("{KEY}{}", error.key), error.reason))
}

/// As [`kinds`], of files that need not say anything else.
///
/// # Errors
/// Where a file cannot be read or a declaration cannot be used.
pub fn kinds_of_files(files: &[PathBuf]) -> Result<Kinds, ConfigError> {
    let Part { value, places } = config::load_part::<Vec<DeclaredKind>>(files, KEY)?;
    let declarations: Vec<KindDeclaration> = value.unwrap_or_default().iter().map(declaration).collect();
    Kinds::new(&declarations).map_err(|error| places.wrong(&format!("{KEY}{}", error.key), error.reason))
}

fn declaration(kind: &DeclaredKind) -> KindDeclaration {
    KindDeclaration {
        name: kind.name.clone(),
        api_versions: kind.api_versions.clone(),
        title: kind.title.as_ref().map(said),
        plural: kind.plural.as_ref().map(said),
        icon: kind.icon.clone(),
        schema: kind.schema.clone(),
        relations: kind
            .relations
            .iter()
            .map(|relation| RelationDeclaration {
                field: relation.field.clone(),
                forward: relation.forward.clone(),
                inverse: relation.inverse.clone(),
                default_kind: relation.default_kind.clone(),
                label: relation.label.as_ref().map(said),
                inverse_label: relation.inverse_label.as_ref().map(said),
            })
            .collect(),
        columns: kind
            .columns
            .iter()
            .map(|column| ColumnDeclaration {
                title: said(&column.title),
                field: column.field.clone(),
            })
            .collect(),
    }
}

fn said(words: &Words) -> Text {
    match words {
        Words::All(text) => text.as_str().into(),
        Words::Each { en, de } => Text::Each {
            english: en.clone(),
            german: de.as_ref().unwrap_or(en).clone(),
        },
    }
}
