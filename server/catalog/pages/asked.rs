//! What a list was asked for, as it stands in the address.

use serde::Deserialize;

use crate::catalog::queries::search::Order;
use crate::catalog::{EntityRef, Filter};

/// The filters, as they stand in the address. Backstage's names (`filters[kind]`) are understood too.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// Lower case; `all` for every kind; `component` if absent.
    #[serde(alias = "filters[kind]")]
    pub(super) kind: Option<String>,
    #[serde(rename = "type", alias = "filters[type]")]
    pub(super) kind_type: Option<String>,
    /// Canonical ref, or `me` for the reader and their groups.
    #[serde(alias = "filters[owners]")]
    pub(super) owner: Option<String>,
    #[serde(alias = "filters[lifecycles]")]
    pub(super) lifecycle: Option<String>,
    #[serde(alias = "filters[tags]")]
    pub(super) tag: Option<String>,
    #[serde(alias = "filters[text]")]
    pub(super) text: Option<String>,
    /// Anything: only what the reader has starred.
    pub(super) starred: Option<String>,
    /// `name`, `owner`, `type`, `lifecycle`, `changed`; with `-` before it, descending.
    pub(super) sort: Option<String>,
    pub(super) page: Option<u32>,
}

impl Asked {
    pub(super) fn clean(mut self) -> Self {
        for field in [
            &mut self.kind,
            &mut self.kind_type,
            &mut self.owner,
            &mut self.lifecycle,
            &mut self.tag,
            &mut self.text,
            &mut self.starred,
            &mut self.sort,
        ] {
            *field = field
                .take()
                .map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty());
        }
        self
    }

    pub(super) fn kind(&self) -> String {
        self.kind.as_deref().unwrap_or("component").to_lowercase()
    }

    pub(super) fn page(&self) -> u32 {
        // Far pages are empty, not an overflow.
        self.page.unwrap_or(1).clamp(1, 1_000_000)
    }

    pub(super) fn words(&self) -> Vec<String> {
        self.text
            .as_deref()
            .unwrap_or_default()
            .split_whitespace()
            .take(10)
            .map(str::to_owned)
            .collect()
    }

    /// The address of this list.
    pub(super) fn href(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let pairs = [
            ("kind", &self.kind),
            ("type", &self.kind_type),
            ("owner", &self.owner),
            ("lifecycle", &self.lifecycle),
            ("tag", &self.tag),
            ("text", &self.text),
            ("starred", &self.starred),
            ("sort", &self.sort),
        ];
        for (key, value) in pairs {
            if let Some(value) = value {
                query.append_pair(key, value);
            }
        }
        if self.page() > 1 {
            query.append_pair("page", &self.page().to_string());
        }
        match query.finish() {
            query if query.is_empty() => "/catalog".to_owned(),
            query => format!("/catalog?{query}"),
        }
    }

    /// The address with one thing changed, from the first page on.
    pub(super) fn with(&self, change: impl FnOnce(&mut Self)) -> String {
        let mut other = Self {
            page: None,
            ..self.clone()
        };
        change(&mut other);
        other.href()
    }

    /// Conditions but for the kind.
    pub(super) fn filters(&self, owners: &[String], stars: &[String]) -> Vec<Filter> {
        let mut all = Vec::new();
        if self.starred.is_some() {
            all.push(Filter::Refs(stars.to_vec()));
        }
        if let Some(value) = &self.kind_type {
            all.push(Filter::key_value("spec.type", value));
        }
        if let Some(value) = &self.lifecycle {
            all.push(Filter::key_value("spec.lifecycle", value));
        }
        if let Some(value) = &self.tag {
            all.push(Filter::key_value("metadata.tags", value));
        }
        match self.owner.as_deref() {
            None => {}
            Some("me") => all.push(Filter::Relation(Some("ownedby".to_owned()), Some(owners.to_vec()))),
            Some(owner) => {
                let owner = EntityRef::parse(owner, Some("group"), None)
                    .map_or_else(|_| owner.to_owned(), |owner| owner.to_string());
                all.push(Filter::Relation(Some("ownedby".to_owned()), Some(vec![owner])));
            }
        }
        all
    }

    pub(super) fn order(&self) -> Order {
        let sort = self.sort.as_deref().unwrap_or("name");
        let (name, descending) = match sort.strip_prefix('-') {
            Some(name) => (name, true),
            None => (sort, false),
        };
        let field = match name {
            "owner" => "portico.owner",
            "type" => "spec.type",
            "lifecycle" => "spec.lifecycle",
            "changed" => "portico.changed",
            _ => "portico.title",
        };
        Order {
            field: Some(field.to_owned()),
            descending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_hold_the_filters() {
        let asked = Asked {
            kind: Some("api".to_owned()),
            text: Some("a&b c".to_owned()),
            page: Some(3),
            ..Asked::default()
        };
        assert_eq!(asked.href(), "/catalog?kind=api&text=a%26b+c&page=3");
        assert_eq!(
            asked.with(|other| other.owner = Some("me".to_owned())),
            "/catalog?kind=api&owner=me&text=a%26b+c"
        );
        assert_eq!(Asked::default().href(), "/catalog");
    }
}
