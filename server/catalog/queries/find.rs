//! Entities found by what somebody types.

use sqlx::PgPool;

use super::conditions::{Builder, contains, escaped};

/// The shortest word in which a wrong letter is forgiven: of shorter ones, too much is similar.
pub const SHORTEST_FORGIVEN: usize = 4;
/// Entities that are looked at for similar words.
const CANDIDATES: i64 = 10_000;

/// An entity that matches.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Found {
    /// Lower case.
    pub kind: String,
    /// The document up to its etag; see `document`.
    pub head: String,
    /// The better, the smaller.
    pub rank: i32,
    /// How many of this kind match.
    pub total: i64,
}

/// Entities in which every word stands, `limit` of each kind, the best first: those that are called so, then those whose
/// name or title begins so, has a word that begins so, has all words, and then those that say so elsewhere.
pub async fn exact(db: &PgPool, text: &str, words: &[String], limit: i64) -> Result<Vec<Found>, sqlx::Error> {
    let text = text.to_lowercase().replace('\0', "");
    let start = format!("{}%", escaped(&text));
    let within = format!("% {start}");
    let mut sql = Builder::new(
        "select kind, head, rank, total from (
            select e.*, count(*) over (partition by kind) as total,
                row_number() over (partition by kind order by rank, title collate \"C\", entity_ref) as place
            from (select e.entity_ref, e.kind, e.title, e.head, case when e.name = ",
    );
    sql.push_bind(text.clone()).push(" or e.title = ").push_bind(text);
    sql.push(" then 0 when e.name like ").push_bind(start.clone());
    sql.push(" or e.title like ").push_bind(start);
    sql.push(" then 1 when translate(e.title, '-_./', '    ') like ")
        .push_bind(within.clone());
    sql.push(" or translate(e.name, '-_./', '    ') like ")
        .push_bind(within);
    sql.push(" then 2 when true");
    for word in words {
        sql.push(" and e.title || ' ' || e.name like ")
            .push_bind(format!("%{}%", escaped(&word.to_lowercase())));
    }
    sql.push(" then 3 else 4 end as rank from catalog_entity e where true");
    contains(&mut sql, words);
    sql.push(") e) e where place <= ").push_bind(limit);
    sql.push(" order by rank, title collate \"C\", entity_ref");
    sql.build_query_as().fetch_all(db).await
}

/// An entity that may match.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Candidate {
    pub kind: String,
    pub head: String,
    /// Name and title, lower case.
    pub names: String,
    /// All that is searched in, lower case.
    pub search: String,
}

/// Entities in which every word may stand with one letter wrong, missing, too many, or two exchanged. In each of these
/// one half of the word is as it should be, or the two letters in its middle are exchanged: that is looked for.
pub async fn similar(db: &PgPool, words: &[String]) -> Result<Vec<Candidate>, sqlx::Error> {
    let mut sql = Builder::new(
        "select e.kind, e.head, e.title || ' ' || e.name as names, e.search from catalog_entity e where true",
    );
    for word in words {
        sql.push(" and (false");
        for part in parts(word) {
            sql.push(" or e.search like ")
                .push_bind(format!("%{}%", escaped(&part)));
        }
        sql.push(")");
    }
    sql.push(" order by e.title collate \"C\", e.entity_ref limit ")
        .push_bind(CANDIDATES);
    sql.build_query_as().fetch_all(db).await
}

/// What stands in every word that is nearly this one.
fn parts(word: &str) -> Vec<String> {
    let letters: Vec<char> = word.chars().collect();
    if letters.len() < SHORTEST_FORGIVEN {
        return vec![word.to_owned()];
    }
    let middle = letters.len() / 2;
    let mut exchanged = letters.clone();
    exchanged.swap(middle - 1, middle);
    vec![
        letters[..middle].iter().collect(),
        letters[middle..].iter().collect(),
        exchanged.iter().collect(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_single_mistake_leaves_a_part_in_place() {
        let right = "catalog";
        let letters: Vec<char> = right.chars().collect();
        let mut wrong: Vec<String> = Vec::new();
        for place in 0..letters.len() {
            let with = |change: &dyn Fn(&mut Vec<char>)| {
                let mut letters = letters.clone();
                change(&mut letters);
                letters.iter().collect::<String>()
            };
            wrong.push(with(&|letters| letters[place] = 'x'));
            wrong.push(with(&|letters| _ = letters.remove(place)));
            wrong.push(with(&|letters| letters.insert(place, 'x')));
            if place > 0 {
                wrong.push(with(&|letters| letters.swap(place - 1, place)));
            }
        }
        for word in wrong {
            assert!(parts(&word).iter().any(|part| right.contains(part.as_str())), "{word}");
        }
        assert_eq!(parts("abc"), ["abc"]);
    }
}
