//! Names and texts of all entities in memory, as they are at one version of the catalog: whatever is typed is looked for in
//! them without asking the database, letter by letter.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use memchr::memmem::Finder;

use super::super::queries::find::{Searched, for_each_searched};
use super::super::queries::reads::Reads;
use super::nearly::Nearly;

/// What stands before a word of a name.
const BEFORE_WORDS: [u8; 5] = *b" -_./";

/// All entities by title.
#[derive(Default)]
pub struct Index {
    /// Kinds in lower case; entries name them by their place.
    kinds: Vec<String>,
    entries: Vec<Entry>,
}

/// An entity. Its texts stand one behind the other: 10,000 entities are 10,000 texts, not 50,000.
struct Entry {
    kind: usize,
    text: Box<str>,
    /// Where ref, title and name end.
    ends: [u32; 3],
}

impl Entry {
    fn slice(&self, range: Range<u32>) -> &str {
        self.text
            .get(range.start as usize..range.end as usize)
            .unwrap_or_default()
    }

    fn entity_ref(&self) -> &str {
        self.slice(0..self.ends[0])
    }

    fn title(&self) -> &str {
        self.slice(self.ends[0]..self.ends[1])
    }

    fn name(&self) -> &str {
        self.slice(self.ends[1]..self.ends[2])
    }

    fn search(&self) -> &str {
        self.text.get(self.ends[2] as usize..).unwrap_or_default()
    }
}

/// What matches of one kind.
#[derive(Debug, PartialEq, Eq)]
pub struct Matches {
    /// Lower case.
    pub kind: String,
    pub total: i64,
    /// Refs, the best first.
    pub refs: Vec<String>,
}

impl Index {
    /// The index of the catalog as it is now.
    pub async fn now(reads: &Reads) -> Result<Arc<Self>, Arc<sqlx::Error>> {
        let work = async {
            let mut reader = reads.reader().await?;
            let mut index = Self::default();
            let mut places = HashMap::new();
            for_each_searched(&mut reader, |row| index.add(&mut places, &row)).await?;
            reader.keep();
            index.entries.shrink_to_fit();
            Ok(index)
        };
        // There is one, and it is kept whatever its size: it takes less than the pages that one reader looks at.
        reads.known("search", |_| 0, work).await
    }

    fn add(&mut self, places: &mut HashMap<String, usize>, row: &Searched) {
        let kind = *places.entry(row.kind.clone()).or_insert_with(|| {
            self.kinds.push(row.kind.clone());
            self.kinds.len() - 1
        });
        let mut text =
            String::with_capacity(row.entity_ref.len() + row.title.len() + row.name.len() + row.search.len());
        let mut ends = [0; 3];
        for (part, end) in [&row.entity_ref, &row.title, &row.name].into_iter().zip(&mut ends) {
            text.push_str(part);
            *end = u32::try_from(text.len()).unwrap_or(u32::MAX);
        }
        text.push_str(&row.search);
        let text = text.into_boxed_str();
        self.entries.push(Entry { kind, text, ends });
    }

    /// Entities in which every word stands, `limit` refs of each kind, the kind with the best first. The best are those that
    /// are called like the text, then those whose name or title begins so, has a word that begins so, has all words, and
    /// then those that say so elsewhere.
    pub fn exact(&self, text: &str, words: &[String], limit: usize) -> Vec<Matches> {
        let sought = Sought::of(text, words);
        self.matching(limit, |entry| sought.rank(entry))
    }

    /// Entities in which every word stands with one mistake at most: first those that have it in their names.
    pub fn nearly(&self, text: &str, limit: usize) -> Vec<Matches> {
        let Some(nearly) = Nearly::of(text) else {
            return Vec::new();
        };
        self.matching(limit, |entry| {
            if !nearly.may_match(entry.search()) {
                return None;
            }
            let names = [entry.title(), entry.name()];
            match (nearly.matches(&names), nearly.matches(&[entry.search()])) {
                (true, _) => Some(0),
                (false, true) => Some(1),
                (false, false) => None,
            }
        })
    }

    fn matching(&self, limit: usize, rank: impl Fn(&Entry) -> Option<u8>) -> Vec<Matches> {
        let mut of_kinds: Vec<Vec<(u8, usize)>> = vec![Vec::new(); self.kinds.len()];
        for (place, entry) in self.entries.iter().enumerate() {
            if let Some(rank) = rank(entry)
                && let Some(of_kind) = of_kinds.get_mut(entry.kind)
            {
                of_kind.push((rank, place));
            }
        }
        let mut found: Vec<((u8, usize), Matches)> = Vec::new();
        for (kind, mut of_kind) in self.kinds.iter().zip(of_kinds) {
            // The places are in the order of titles.
            of_kind.sort_unstable();
            let Some(best) = of_kind.first() else { continue };
            let refs = of_kind
                .iter()
                .take(limit)
                .filter_map(|(_, place)| self.entries.get(*place));
            let matches = Matches {
                kind: kind.clone(),
                total: i64::try_from(of_kind.len()).unwrap_or(i64::MAX),
                refs: refs.map(|entry| entry.entity_ref().to_owned()).collect(),
            };
            found.push((*best, matches));
        }
        found.sort_unstable_by_key(|(best, _)| *best);
        found.into_iter().map(|(_, matches)| matches).collect()
    }
}

/// What somebody typed.
struct Sought {
    /// Lower case.
    text: String,
    finder: Finder<'static>,
    words: Vec<Finder<'static>>,
}

impl Sought {
    fn of(text: &str, words: &[String]) -> Self {
        let finder = |text: &str| Finder::new(text.as_bytes()).into_owned();
        let text = text.to_lowercase();
        Self {
            finder: finder(&text),
            words: words.iter().map(|word| finder(&word.to_lowercase())).collect(),
            text,
        }
    }

    /// The better, the smaller; `None` where a word is missing.
    fn rank(&self, entry: &Entry) -> Option<u8> {
        let search = entry.search().as_bytes();
        if !self.words.iter().all(|word| word.find(search).is_some()) {
            return None;
        }
        let names = [entry.name(), entry.title()];
        if names.contains(&self.text.as_str()) {
            return Some(0);
        }
        if names.iter().any(|name| name.starts_with(&self.text)) {
            return Some(1);
        }
        if names.iter().any(|name| self.begins_a_word(name.as_bytes())) {
            return Some(2);
        }
        let is_named = |word: &Finder<'_>| names.iter().any(|name| word.find(name.as_bytes()).is_some());
        Some(if self.words.iter().all(is_named) { 3 } else { 4 })
    }

    fn begins_a_word(&self, name: &[u8]) -> bool {
        let before = |at: usize| at.checked_sub(1).and_then(|before| name.get(before));
        self.finder
            .find_iter(name)
            .any(|at| before(at).is_some_and(|letter| BEFORE_WORDS.contains(letter)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::nearly::parts_of;
    use super::*;

    fn index(entities: &[(&str, &str, &str, &str)]) -> Index {
        let mut index = Index::default();
        let mut places = HashMap::new();
        for (kind, name, title, more) in entities {
            let row = Searched {
                entity_ref: format!("{kind}:default/{name}"),
                kind: (*kind).to_owned(),
                name: (*name).to_owned(),
                title: title.to_lowercase(),
                search: format!("{name}\n{title}\n{more}").to_lowercase(),
            };
            index.add(&mut places, &row);
        }
        index
    }

    fn refs(matches: &[Matches]) -> Vec<&str> {
        matches
            .iter()
            .flat_map(|matches| &matches.refs)
            .map(String::as_str)
            .collect()
    }

    fn words(text: &str) -> Vec<String> {
        parts_of(text).map(str::to_owned).collect()
    }

    #[test]
    fn those_that_are_called_so_come_first() {
        let index = index(&[
            ("component", "a-says-it", "A", "about orders"),
            ("component", "b-preorders", "B", ""),
            ("component", "c-orders", "C", ""),
            ("component", "orders", "D", ""),
            ("component", "orders-api", "E", ""),
            ("system", "f", "F", "orders"),
        ]);
        let found = index.exact("Orders", &words("orders"), 10);
        assert_eq!(
            refs(&found),
            [
                "component:default/orders",
                "component:default/orders-api",
                "component:default/c-orders",
                "component:default/b-preorders",
                "component:default/a-says-it",
                "system:default/f",
            ]
        );
        let totals: Vec<i64> = index
            .exact("orders", &words("orders"), 2)
            .iter()
            .map(|found| found.total)
            .collect();
        assert_eq!(totals, [5, 1]);
        assert_eq!(
            refs(&index.exact("orders-api", &["orders-api".to_owned()], 2)),
            ["component:default/orders-api"]
        );
    }

    #[test]
    fn every_word_must_stand_somewhere() {
        let index = index(&[("api", "a", "One", "two"), ("api", "b", "One", "three")]);
        assert_eq!(refs(&index.exact("one two", &words("one two"), 10)), ["api:default/a"]);
        assert_eq!(refs(&index.exact("one four", &words("one four"), 10)), [] as [&str; 0]);
    }

    #[test]
    fn a_mistake_is_forgiven_in_names_first() {
        let index = index(&[
            ("api", "a", "A", "the portal"),
            ("api", "z-portal", "Z", ""),
            ("api", "other", "O", "nothing"),
        ]);
        assert_eq!(
            refs(&index.nearly("partal", 10)),
            ["api:default/z-portal", "api:default/a"]
        );
        assert_eq!(refs(&index.nearly("abc", 10)), [] as [&str; 0]);
    }
}
