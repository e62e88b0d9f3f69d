//! Pages of documentation by what somebody types, for the search.

use super::{Docs, book_path, page_path, queries};
use crate::auth::Caller;
use crate::catalog::{EntityRef, SearchFound, SearchHit, SearchSection};
use crate::language::{Text, text};

/// Words that are looked for at most.
const MOST_WORDS: usize = 10;

/// The section "Documentation".
pub struct FoundPages(pub Docs);

/// What is looked for, as PostgreSQL's text search has it: pages in which words begin so. Nothing but letters, digits
/// and our own signs. `None` where there is no word.
fn query(text: &str) -> Option<String> {
    let words = super::index::words(text);
    let words: Vec<String> = words
        .split_whitespace()
        .take(MOST_WORDS)
        .map(|word| format!("{word}:*"))
        .collect();
    (!words.is_empty()).then(|| words.join(" & "))
}

#[async_trait::async_trait]
impl SearchSection for FoundPages {
    fn name(&self) -> &'static str {
        "techdocs"
    }

    fn title(&self) -> Text {
        text!("Documentation")
    }

    fn icon(&self) -> &'static str {
        "docs"
    }

    async fn find(&self, _: &Caller, text: &str, limit: usize) -> SearchFound {
        let Some(query) = query(text) else {
            return SearchFound::default();
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let found = queries::find(&self.0.0.db, &query, limit).await;
        let found = found.unwrap_or_else(|error| {
            tracing::warn!(%error, "documentation cannot be searched");
            Vec::new()
        });
        SearchFound {
            total: found
                .first()
                .map_or(0, |first| usize::try_from(first.total).unwrap_or_default()),
            more: None,
            hits: found.into_iter().filter_map(hit).collect(),
        }
    }
}

fn hit(found: queries::Found) -> Option<SearchHit> {
    let entity_ref = EntityRef::parse(&found.entity_ref, None, None).ok()?;
    let around = found.around.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(SearchHit {
        title: found.title,
        path: page_path(&book_path(&entity_ref), &found.path),
        note: Text::list(vec![entity_ref.name.into(), around.into()]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_reach_the_database() {
        for (typed, expected) in [
            ("Roll back", Some("roll:* & back:*")),
            ("a' | !b:* & (c)", Some("a:* & b:* & c:*")),
            ("Größe_x", Some("größe:* & x:*")),
            ("&|!<->", None),
            (&"x".repeat(61), None),
        ] {
            assert_eq!(query(typed).as_deref(), expected, "{typed}");
        }
    }
}
