//! Finding entities by what somebody types: those that say it, best first; where none does, those that nearly do.

use super::queries::find::{self, Candidate, Found, SHORTEST_FORGIVEN};
use super::{Catalog, Entity};

/// Words that are looked for at most.
const MOST_WORDS: usize = 10;
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
    /// Entities that match a text, up to `limit` of each kind. An empty text finds nothing.
    pub async fn search(&self, text: &str, limit: i64) -> Result<Findings, sqlx::Error> {
        // No name holds what cannot be seen, and the database takes no NUL.
        let text = text.replace(char::is_control, " ");
        let text = text.trim();
        let words: Vec<String> = text.split_whitespace().take(MOST_WORDS).map(str::to_owned).collect();
        if words.is_empty() {
            return Ok(Findings::default());
        }
        let found = find::exact(self.db(), text, &words, limit).await?;
        if !found.is_empty() {
            return Ok(grouped(found, false));
        }
        self.nearly(text).await
    }

    /// What says each word with one mistake at most; nothing where all are too short to be forgiven anything.
    async fn nearly(&self, text: &str) -> Result<Findings, sqlx::Error> {
        let words = parts_of(text);
        if words.iter().all(|word| word.chars().count() < SHORTEST_FORGIVEN) {
            return Ok(Findings::default());
        }
        let candidates = find::similar(self.db(), &words).await?;
        Ok(grouped(similar(candidates, &words), true))
    }

    /// Refs of entities that say each word of a text with one mistake at most, the best of each kind first.
    pub async fn similar(&self, text: &str) -> Result<Vec<String>, sqlx::Error> {
        let groups = self.nearly(&text.replace(char::is_control, " ")).await?.groups;
        let entities = groups.into_iter().flat_map(|group| group.entities);
        Ok(entities.map(|entity| entity.entity_ref().to_string()).collect())
    }
}

/// Runs of letters and digits, lower case.
fn parts_of(text: &str) -> Vec<String> {
    let runs = text.split(|letter: char| !letter.is_alphanumeric());
    let runs = runs.filter(|run| !run.is_empty()).take(MOST_WORDS);
    runs.map(str::to_lowercase).collect()
}

/// Those in which every word stands with one mistake at most: first those that have it in their names.
fn similar(candidates: Vec<Candidate>, words: &[String]) -> Vec<Found> {
    let matches = |text: &str| {
        let said = parts_of_all(text);
        words
            .iter()
            .all(|word| text.contains(word.as_str()) || said.iter().any(|other| is_nearly(word, other)))
    };
    let mut found: Vec<Found> = candidates
        .into_iter()
        .filter_map(|candidate| {
            let rank = match (matches(&candidate.names), matches(&candidate.search)) {
                (true, _) => 0,
                (false, true) => 1,
                (false, false) => return None,
            };
            Some(Found {
                kind: candidate.kind,
                head: candidate.head,
                rank,
                total: 0,
            })
        })
        .collect();
    // Stable: those of one rank stay in the order of their titles.
    found.sort_by_key(|found| found.rank);
    found
}

/// As [`parts_of`], of a text that we have stored.
fn parts_of_all(text: &str) -> Vec<&str> {
    let runs = text.split(|letter: char| !letter.is_alphanumeric());
    runs.filter(|run| !run.is_empty()).collect()
}

/// Is the beginning of `other`, or all of it, `word` with one letter wrong, missing, too many, or two exchanged?
fn is_nearly(word: &str, other: &str) -> bool {
    let length = word.chars().count();
    if length < SHORTEST_FORGIVEN {
        return false;
    }
    let ends: Vec<usize> = other.char_indices().map(|(at, _)| at).chain([other.len()]).collect();
    [length - 1, length, length + 1].into_iter().any(|letters| {
        ends.get(letters)
            .and_then(|&end| other.get(..end))
            .is_some_and(|start| strsim::osa_distance(word, start) <= 1)
    })
}

fn grouped(found: Vec<Found>, similar: bool) -> Findings {
    let mut groups: Vec<Group> = Vec::new();
    for found in found {
        let index = groups
            .iter()
            .position(|group| group.kind == found.kind)
            .unwrap_or_else(|| {
                groups.push(Group {
                    kind: found.kind.clone(),
                    total: found.total,
                    entities: Vec::new(),
                });
                groups.len() - 1
            });
        let group = &mut groups[index];
        if similar {
            group.total += 1;
            if group.entities.len() >= MOST_SIMILAR {
                continue;
            }
        }
        // The document up to its etag, closed: what lists show of it without the rest, which may be long.
        if let Ok(body) = serde_json::from_str(&format!("{}\"}}}}", found.head)) {
            group.entities.push(Entity { body });
        }
    }
    Findings { groups, similar }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mistake_is_forgiven_and_two_are_not() {
        for (word, other, expected) in [
            ("portal", "portal", true),
            ("partal", "portal", true),
            ("portl", "portal", true),
            ("porrtal", "portal", true),
            ("protal", "portal", true),
            ("prtal", "portals", true),
            ("pertel", "portal", false),
            ("abc", "abd", false),
            ("müsli", "muesli", false),
            ("müsli", "müslu", true),
        ] {
            assert_eq!(is_nearly(word, other), expected, "{word} {other}");
        }
    }
}
