//! Links that narrow a list down, with counts that are right for the other filters, and the filters that are on.

use super::asked::Asked;
use super::list::short_ref;
use super::{Pages, icon, words};
use crate::catalog::queries::list::{self, Column};
use crate::catalog::{Filter, Kinds};
use crate::language::{Text, text};
use crate::web::Error;

/// Values listed under each filter.
const VALUES: i64 = 12;

/// A link of a filter.
pub(super) struct Choice {
    pub(super) label: Text,
    pub(super) href: String,
    pub(super) count: i64,
    pub(super) chosen: bool,
    pub(super) icon: &'static str,
}

pub(super) struct Facet {
    pub(super) title: Text,
    pub(super) choices: Vec<Choice>,
}

/// A filter that is on.
pub(super) struct Chip {
    pub(super) label: Text,
    /// The list without it.
    pub(super) href: String,
}

/// All that a list can be narrowed down by. `filter` is what the list shows, `kinds` are counted without the kind.
pub(super) async fn facets(
    pages: &Pages,
    asked: &Asked,
    filter: &Filter,
    kinds: &[(String, i64)],
    sought: &[String],
) -> Result<Vec<Facet>, Error> {
    let kind = asked.kind();
    Ok(vec![
        Facet {
            title: text!("Kind"),
            choices: kinds
                .iter()
                .map(|(label, count)| {
                    let value = label.to_lowercase();
                    Choice {
                        href: asked.with(|other| {
                            other.kind = Some(value.clone());
                            other.kind_type = None;
                        }),
                        count: *count,
                        chosen: value == kind,
                        icon: icon(pages.kinds(), &value),
                        label: words::one(pages.kinds(), label),
                    }
                })
                .collect(),
        },
        Facet {
            title: text!("Type"),
            choices: choices(pages, asked, filter, sought, Column::Type).await?,
        },
        Facet {
            title: text!("Lifecycle"),
            choices: choices(pages, asked, filter, sought, Column::Lifecycle).await?,
        },
        Facet {
            title: text!("Owner"),
            choices: choices(pages, asked, filter, sought, Column::Owner).await?,
        },
        Facet {
            title: text!("System"),
            choices: choices(pages, asked, filter, sought, Column::System).await?,
        },
        Facet {
            title: text!("Tag"),
            choices: choices(pages, asked, filter, sought, Column::Tag).await?,
        },
    ])
}

async fn choices(
    pages: &Pages,
    asked: &Asked,
    filter: &Filter,
    sought: &[String],
    column: Column,
) -> Result<Vec<Choice>, Error> {
    Ok(
        list::column_counts(pages.catalog.reads(), filter, sought, column, VALUES)
            .await?
            .iter()
            .map(|(value, count)| {
                let current = match column {
                    Column::Kind => &asked.kind,
                    Column::Type => &asked.kind_type,
                    Column::Owner => &asked.owner,
                    Column::Lifecycle => &asked.lifecycle,
                    Column::System => &asked.system,
                    Column::Tag => &asked.tag,
                };
                let chosen = current.as_deref() == Some(value.as_str());
                // Chosen again, a filter goes off.
                let to = (!chosen).then(|| value.clone());
                let href = asked.with(|other| match column {
                    Column::Kind => other.kind = to,
                    Column::Type => other.kind_type = to,
                    Column::Owner => other.owner = to,
                    Column::Lifecycle => other.lifecycle = to,
                    Column::System => other.system = to,
                    Column::Tag => other.tag = to,
                });
                Choice {
                    label: match column {
                        Column::Owner => short_ref(value).into(),
                        Column::System => system_word(value),
                        _ => value.clone().into(),
                    },
                    href,
                    count: *count,
                    chosen,
                    icon: "",
                }
            })
            .collect(),
    )
}

pub(super) fn chips(kinds: &Kinds, asked: &Asked) -> Vec<Chip> {
    let mut chips = Vec::new();
    let mut add = |title: Text, value: Option<Text>, change: fn(&mut Asked)| {
        chips.extend(value.map(|value| Chip {
            label: Text::about(title, value),
            href: asked.with(change),
        }));
    };
    let given = |value: &Option<String>| value.as_deref().map(Text::from);
    let owner = asked.owner.as_deref().map(|owner| match owner {
        "me" => text!("me and my groups"),
        owner => short_ref(owner).into(),
    });
    add(text!("Type"), given(&asked.kind_type), |other| other.kind_type = None);
    add(text!("Lifecycle"), given(&asked.lifecycle), |other| {
        other.lifecycle = None
    });
    add(text!("Owner"), owner, |other| other.owner = None);
    add(text!("System"), asked.system.as_deref().map(system_word), |other| {
        other.system = None
    });
    add(text!("Tag"), given(&asked.tag), |other| other.tag = None);
    let related = asked
        .relation()
        .map(|(relation, target)| Text::about(kinds.relation_word(relation), short_ref(target)));
    add(text!("Relation"), related, |other| other.related = None);
    add(text!("Text"), given(&asked.text), |other| other.text = None);
    chips
}

/// A system's ref without what goes without saying.
fn system_word(reference: &str) -> Text {
    short_ref(reference).trim_start_matches("system:").into()
}
