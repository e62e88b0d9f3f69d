//! What a list was asked for, as it stands in the address.

use serde::Deserialize;

use crate::catalog::queries::search::{Order, Query};
use crate::catalog::{EntityRef, Filter, Kinds};

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
    /// Ref of a system.
    #[serde(alias = "filters[system]")]
    pub(super) system: Option<String>,
    /// `<type of relation>:<ref>`: what has this relation to it.
    pub(super) related: Option<String>,
    #[serde(alias = "filters[text]")]
    pub(super) text: Option<String>,
    /// Anything: only what the reader has starred.
    pub(super) starred: Option<String>,
    /// `name`, `owner`, `type`, `lifecycle`, `changed`, a column of the declared kind; with `-` before it, descending.
    pub(super) sort: Option<String>,
    pub(super) page: Option<u32>,
    /// Columns to show, in any order; the reader's own choice, else the usual ones, if none is named.
    pub(super) columns: Vec<String>,
    /// Anything: the columns are to be shown from now on.
    pub(super) keep: Option<String>,
}

impl Asked {
    pub(super) fn clean(mut self) -> Self {
        for field in [
            &mut self.kind,
            &mut self.kind_type,
            &mut self.owner,
            &mut self.lifecycle,
            &mut self.tag,
            &mut self.system,
            &mut self.related,
            &mut self.text,
            &mut self.starred,
            &mut self.sort,
        ] {
            *field = field
                .take()
                .map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty());
        }
        self.columns.truncate(super::columns::MOST);
        self
    }

    /// The list of what is related to an entity, seen from the entity.
    pub(super) fn related_to(kinds: &Kinds, relation: &str, entity_ref: &str) -> Self {
        let mut asked = Self {
            kind: Some("all".to_owned()),
            ..Self::default()
        };
        match relation {
            "ownerOf" => asked.owner = Some(entity_ref.to_owned()),
            "hasPart" if entity_ref.starts_with("system:") => asked.system = Some(entity_ref.to_owned()),
            relation => {
                let back = kinds.inverse(relation).unwrap_or(relation);
                asked.related = Some(format!("{back}:{entity_ref}"));
            }
        }
        asked
    }

    /// The parts of `related`.
    pub(super) fn relation(&self) -> Option<(&str, &str)> {
        self.related.as_deref()?.split_once(':')
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

    /// Names and values in the address, but for the page.
    fn pairs(&self) -> Vec<(&'static str, &str)> {
        let single = [
            ("kind", &self.kind),
            ("type", &self.kind_type),
            ("owner", &self.owner),
            ("lifecycle", &self.lifecycle),
            ("tag", &self.tag),
            ("system", &self.system),
            ("related", &self.related),
            ("text", &self.text),
            ("starred", &self.starred),
            ("sort", &self.sort),
        ];
        let single = single
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let columns = self.columns.iter().map(|column| ("columns", column.as_str()));
        single.chain(columns).collect()
    }

    /// What a form of this list carries along that itself asks for `name`.
    pub(super) fn others(&self, name: &str) -> Vec<(&'static str, &str)> {
        let mut pairs = self.pairs();
        pairs.retain(|(other, _)| *other != name);
        pairs
    }

    /// The address of this list.
    pub(super) fn href(&self) -> String {
        self.address("/catalog", self.page())
    }

    /// The address of all pages of this list as a file.
    pub(super) fn file(&self, end: &str) -> String {
        self.address(&format!("/catalog/export.{end}"), 1)
    }

    fn address(&self, path: &str, page: u32) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.pairs());
        if page > 1 {
            query.append_pair("page", &page.to_string());
        }
        match query.finish() {
            query if query.is_empty() => path.to_owned(),
            query => format!("{path}?{query}"),
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
        if let Some(system) = &self.system {
            all.push(related("partof", system, "system"));
        }
        if let Some((relation, target)) = self.relation() {
            all.push(related(&relation.to_lowercase(), target, "component"));
        }
        match self.owner.as_deref() {
            None => {}
            Some("me") => all.push(Filter::Relation(Some("ownedby".to_owned()), Some(owners.to_vec()))),
            Some(owner) => all.push(related("ownedby", owner, "group")),
        }
        all
    }

    /// What is asked of the catalog, of all pages.
    pub(super) fn query(&self, kinds: &Kinds, owners: &[String], stars: &[String]) -> Query {
        let mut conditions = self.filters(owners, stars);
        let kind = self.kind();
        if kind != "all" {
            conditions.push(Filter::key_value("kind", &kind));
        }
        let mut query = Query::of(Filter::All(conditions));
        query.order = vec![self.order(kinds)];
        query
    }

    fn order(&self, kinds: &Kinds) -> Order {
        let sort = self.sort.as_deref().unwrap_or("name");
        let (name, descending) = match sort.strip_prefix('-') {
            Some(name) => (name, true),
            None => (sort, false),
        };
        let declared = kinds.find(&self.kind()).map_or(&[][..], |kind| &kind.columns);
        let field = match declared.iter().find(|column| column.name == name) {
            Some(column) => column.key(),
            None => field(name).to_owned(),
        };
        Order {
            field: Some(field),
            descending,
        }
    }
}

/// What the columns that every list can have are sorted by.
fn field(name: &str) -> &'static str {
    match name {
        "owner" => "portico.owner",
        "type" => "spec.type",
        "lifecycle" => "spec.lifecycle",
        "changed" => "portico.changed",
        _ => "portico.title",
    }
}

/// A relation (lower case) to the entity of a ref, of this kind where the ref names none.
fn related(relation: &str, target: &str, kind: &str) -> Filter {
    let target =
        EntityRef::parse(target, Some(kind), None).map_or_else(|_| target.to_owned(), |target| target.to_string());
    Filter::Relation(Some(relation.to_owned()), Some(vec![target]))
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
        assert_eq!(asked.file("csv"), "/catalog/export.csv?kind=api&text=a%26b+c");
        for (relation, of, expected) in [
            ("ownerOf", "group:default/a", "owner=group%3Adefault%2Fa"),
            ("hasPart", "system:default/a", "system=system%3Adefault%2Fa"),
            ("hasPart", "domain:default/a", "related=partOf%3Adomain%3Adefault%2Fa"),
            ("dependencyOf", "api:default/a", "related=dependsOn%3Aapi%3Adefault%2Fa"),
        ] {
            assert_eq!(
                Asked::related_to(&Kinds::default(), relation, of).href(),
                format!("/catalog?kind=all&{expected}")
            );
        }
    }
}
