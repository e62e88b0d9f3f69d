//! Counts that are kept while entities are written: how many there are, and how many have which values of the keys that
//! pages offer for filtering, of all and of those with one value. See the table `catalog_count`.

use std::collections::HashMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::super::facets::{COUNTED, Facets};
use super::super::filter::Filter;

/// Entities with more counted values are left out of the counts of pairs, which would grow with their square.
const MOST_VALUES: usize = 32;
/// Element of the row that says how many entities were left out.
const LEFT_OUT: &str = "*";
/// Rows of one statement.
const CHUNK: usize = 5_000;

/// The filter, as `catalog_count` names it, where its entities are counted: no condition, or one value of a counted key.
pub fn counted(filter: &Filter) -> Option<String> {
    match filter {
        Filter::All(all) => match all.as_slice() {
            [] => Some(String::new()),
            [one] => counted(one),
            _ => None,
        },
        Filter::In(key, values) => match values.as_slice() {
            [value] if COUNTED.contains(&key.as_str()) => Some(format!("{key}={value}").replace('\0', "")),
            _ => None,
        },
        _ => None,
    }
}

/// How many entities match.
pub async fn total(db: &mut PgConnection, filter: &str) -> Result<i64, sqlx::Error> {
    let count = sqlx::query_scalar!(
        "select count from catalog_count where filter = $1 and element = ''",
        filter
    );
    Ok(count.fetch_optional(db).await?.unwrap_or(0))
}

/// Values of a counted key among the entities that match, with their counts, sorted. `None`: some of these entities were
/// left out.
pub async fn values(db: &mut PgConnection, filter: &str, key: &str) -> Result<Option<Vec<(String, i64)>>, sqlx::Error> {
    let first = format!("{key}=");
    // The character after the equals sign: all values lie between.
    let end = format!("{key}>");
    let rows = sqlx::query!(
        r#"select element as "element!", count as "count!" from catalog_count
        where filter = $1 and element = '*' and count > 0
        union all (
            select element, count from catalog_count
            where filter = $1 and element >= $2 and element < $3 and count > 0 order by element
        )"#,
        filter,
        first,
        end,
    )
    .fetch_all(db)
    .await?;
    if rows.first().is_some_and(|row| row.element == LEFT_OUT) {
        return Ok(None);
    }
    let values = rows.into_iter().map(|row| {
        let value = row.element.get(first.len()..).unwrap_or_default().to_owned();
        (value, row.count)
    });
    Ok(Some(values.collect()))
}

/// What a transaction changes in the counts: collected first and written at its end, each row once.
#[derive(Default)]
pub struct Changes {
    numbers: HashMap<String, u32>,
    texts: Vec<String>,
    counts: HashMap<(u32, u32), i64>,
}

impl Changes {
    /// Counts an entity that is written.
    pub fn add(&mut self, facets: &Facets) {
        self.count(&facets.counted, &facets.counted_lower, 1);
    }

    /// Counts no more what is stored of these entities.
    pub async fn subtract(&mut self, db: &mut PgConnection, ids: &[Uuid]) -> Result<(), sqlx::Error> {
        for chunk in ids.chunks(CHUNK) {
            let rows = sqlx::query!(
                "select counted, counted_lower from catalog_entity where id = any($1)",
                chunk
            )
            .fetch_all(&mut *db)
            .await?;
            for row in rows {
                self.count(&row.counted, &row.counted_lower, -1);
            }
        }
        Ok(())
    }

    fn count(&mut self, values: &[String], filters: &[String], by: i64) {
        let elements: Vec<u32> = values.iter().map(|value| self.number(value)).collect();
        let filters: Vec<u32> = filters.iter().map(|filter| self.number(filter)).collect();
        let (all, left_out) = (self.number(""), self.number(LEFT_OUT));
        let mut change = |filter, element| *self.counts.entry((filter, element)).or_default() += by;
        change(all, all);
        for &element in &elements {
            change(all, element);
        }
        for &filter in &filters {
            change(filter, all);
            match elements.len() > MOST_VALUES {
                true => change(filter, left_out),
                false => elements.iter().for_each(|&element| change(filter, element)),
            }
        }
    }

    fn number(&mut self, text: &str) -> u32 {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.texts.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }

    /// Writes what changed. Rows that count nothing any more go.
    pub async fn store(self, db: &mut PgConnection) -> Result<(), sqlx::Error> {
        let text = |number: u32| self.texts.get(number as usize).map_or("", String::as_str);
        let mut changes: Vec<(&str, &str, i64)> = self
            .counts
            .iter()
            .filter(|(_, by)| **by != 0)
            .map(|(&(filter, element), &by)| (text(filter), text(element), by))
            .collect();
        changes.sort_unstable();
        for chunk in changes.chunks(CHUNK) {
            let filters: Vec<&str> = chunk.iter().map(|change| change.0).collect();
            let elements: Vec<&str> = chunk.iter().map(|change| change.1).collect();
            let counts: Vec<i64> = chunk.iter().map(|change| change.2).collect();
            sqlx::query!(
                "insert into catalog_count (filter, element, count)
                select * from unnest($1::text[], $2::text[], $3::bigint[])
                on conflict on constraint catalog_count_pkey do update set count = catalog_count.count + excluded.count",
                &filters as &[&str],
                &elements as &[&str],
                &counts,
            )
            .execute(&mut *db)
            .await?;
            if chunk.iter().any(|change| change.2 < 0) {
                sqlx::query!(
                    "delete from catalog_count where count = 0 and (filter, element) in (
                        select * from unnest($1::text[], $2::text[]))",
                    &filters as &[&str],
                    &elements as &[&str],
                )
                .execute(&mut *db)
                .await?;
            }
        }
        Ok(())
    }
}
