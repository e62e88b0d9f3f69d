//! Finding entities by what somebody types: those that say it, best first; where none does, those that nearly do.

mod index;
mod nearly;

use std::collections::HashMap;
use std::sync::Arc;

use super::queries::find;
use super::{Catalog, Entity};
use index::{Index, Matches};
use nearly::MOST_WORDS;

/// Entities of each kind that are told where a letter was forgiven.
const MOST_SIMILAR: usize = 20;

/// What was found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Kinds with what was found of them, the kind with the best first.
    pub groups: Vec<Group>,
    /// Nothing is spelled so; these are similar.
    pub similar: bool,
}

impl Findings {
    /// About: what lists show of an entity is short.
    fn bytes(&self) -> usize {
        self.groups.iter().map(|group| 100 + 2_000 * group.entities.len()).sum()
    }
}

/// What was found of one kind.
#[derive(Debug)]
pub struct Group {
    /// Lower case.
    pub kind: String,
    pub total: i64,
    /// The best, with no more than their metadata.
    pub entities: Vec<Entity>,
}

impl Catalog {
    /// Entities that match a text, up to `of_a_kind` of each kind and `most` of all. An empty text finds nothing.
    pub async fn search(&self, text: &str, of_a_kind: usize, most: usize) -> Result<Arc<Findings>, Arc<sqlx::Error>> {
        let question = format!("{of_a_kind} {most} {text}");
        self.reads()
            .known(&question, Findings::bytes, self.find_anew(text, of_a_kind, most))
            .await
    }

    async fn find_anew(&self, text: &str, of_a_kind: usize, most: usize) -> Result<Findings, Arc<sqlx::Error>> {
        // No name holds what cannot be seen.
        let text = text.replace(char::is_control, " ").trim().to_owned();
        let words: Vec<String> = text.split_whitespace().take(MOST_WORDS).map(str::to_owned).collect();
        if words.is_empty() {
            return Ok(Findings::default());
        }
        let (mut found, similar) = self
            .look(move |index| match index.exact(&text, &words, of_a_kind) {
                exact if exact.is_empty() => (index.nearly(&text, MOST_SIMILAR), true),
                exact => (exact, false),
            })
            .await?;
        let mut left = most;
        for matches in &mut found {
            matches.refs.truncate(left);
            left -= matches.refs.len();
        }
        Ok(Findings {
            groups: self.shown(found).await?,
            similar,
        })
    }

    /// Refs of entities that say each word of a text with one mistake at most, the best of each kind first.
    pub async fn similar(&self, text: &str) -> Result<Arc<Vec<String>>, Arc<sqlx::Error>> {
        let question = format!("similar {text}");
        let text = text.replace(char::is_control, " ");
        let work = async {
            let found = self.look(move |index| index.nearly(&text, MOST_SIMILAR)).await?;
            Ok(found.into_iter().flat_map(|matches| matches.refs).collect())
        };
        let bytes = |refs: &Vec<String>| refs.len() * 100;
        self.reads().known(&question, bytes, work).await
    }

    /// Looks through the index, which takes a while where the catalog is large.
    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Index) -> T + Send + 'static,
    ) -> Result<T, Arc<sqlx::Error>> {
        let index = Index::now(self.reads()).await?;
        let looked = tokio::task::spawn_blocking(move || look(&index)).await;
        looked.map_err(|error| Arc::new(sqlx::Error::Decode(error.into())))
    }

    /// What lists show of entities.
    async fn shown(&self, found: Vec<Matches>) -> Result<Vec<Group>, Arc<sqlx::Error>> {
        let refs: Vec<String> = found.iter().flat_map(|matches| matches.refs.iter().cloned()).collect();
        if refs.is_empty() {
            return Ok(Vec::new());
        }
        let heads = find::list_heads(self.reads().readers(), &refs).await?;
        let heads: HashMap<String, String> = heads.into_iter().collect();
        let entity = |entity_ref: &String| {
            // The document up to its etag, closed: what lists show of it without the rest, which may be long.
            let head = heads.get(entity_ref)?;
            let body = serde_json::from_str(&format!("{head}\"}}}}")).ok()?;
            Some(Entity { body })
        };
        let groups = found.into_iter().map(|matches| Group {
            entities: matches.refs.iter().filter_map(entity).collect(),
            kind: matches.kind,
            total: matches.total,
        });
        Ok(groups.collect())
    }
}
