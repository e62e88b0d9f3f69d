//! Types of relations, in both directions, and their words.

use std::borrow::Cow;

use crate::language::{Text, text};

/// Two types of relations that say the same, from either end.
#[derive(Debug, Clone)]
pub struct Pair {
    /// From the entity that says it.
    pub forward: Cow<'static, str>,
    /// And back.
    pub inverse: Cow<'static, str>,
}

/// The pairs of Backstage.
pub(super) const PAIRS: [(&str, &str); 7] = [
    ("ownedBy", "ownerOf"),
    ("partOf", "hasPart"),
    ("providesApi", "apiProvidedBy"),
    ("consumesApi", "apiConsumedBy"),
    ("dependsOn", "dependencyOf"),
    ("childOf", "parentOf"),
    ("memberOf", "hasMember"),
];

/// Types in the order in which they are listed, and their words.
pub(super) static WORDS: [(&str, Text); 14] = [
    ("ownedBy", text!("Owned by")),
    ("partOf", text!("Part of")),
    ("hasPart", text!("Has part")),
    ("providesApi", text!("Provides")),
    ("apiProvidedBy", text!("Provided by")),
    ("consumesApi", text!("Consumes")),
    ("apiConsumedBy", text!("Consumed by")),
    ("dependsOn", text!("Depends on")),
    ("dependencyOf", text!("Needed by")),
    ("childOf", text!("Child of")),
    ("parentOf", text!("Parent of")),
    ("memberOf", text!("Member of")),
    ("hasMember", text!("Members")),
    ("ownerOf", text!("Owns")),
];

/// All types of relations: those of Backstage, and those that declared kinds bring.
#[derive(Debug, Clone)]
pub(super) struct Relations {
    pub pairs: Vec<Pair>,
    /// Of those that are declared.
    words: Vec<(String, Text)>,
}

impl Default for Relations {
    fn default() -> Self {
        let pair = |(forward, inverse)| Pair {
            forward: Cow::Borrowed(forward),
            inverse: Cow::Borrowed(inverse),
        };
        Self {
            pairs: PAIRS.map(pair).into(),
            words: Vec::new(),
        }
    }
}

impl Relations {
    /// Takes a pair in that a kind declares, with its words where they are given. Fails where one of the types belongs to
    /// another pair; filters ignore case, so types that differ in it alone are the same.
    pub fn add(
        &mut self,
        forward: &str,
        inverse: &str,
        words: (Option<Text>, Option<Text>),
    ) -> Result<(), (&'static str, String)> {
        let is_new = match self.pair_of(forward).or_else(|| self.pair_of(inverse)) {
            None => true,
            Some(pair) => {
                let both = [&*pair.forward, &*pair.inverse];
                if both != [forward, inverse] && both != [inverse, forward] {
                    let key = match self.pair_of(forward).is_some() {
                        true => "inverse",
                        false => "forward",
                    };
                    return Err((
                        key,
                        format!("{} and {} belong together already", pair.forward, pair.inverse),
                    ));
                }
                false
            }
        };
        if is_new {
            self.pairs.push(Pair {
                forward: Cow::Owned(forward.to_owned()),
                inverse: Cow::Owned(inverse.to_owned()),
            });
        }
        let of_backstage = PAIRS.iter().any(|pair| [pair.0, pair.1].contains(&forward));
        for (kind, word) in [(forward, words.0), (inverse, words.1)] {
            let given = word.is_some();
            let word = word.unwrap_or_else(|| kind.into());
            match self.words.iter_mut().find(|(known, _)| known == kind) {
                _ if of_backstage => {}
                None => self.words.push((kind.to_owned(), word)),
                // The words may stand with any kind that has the relation.
                Some((_, known)) if given => *known = word,
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn pair_of(&self, kind: &str) -> Option<&Pair> {
        self.pairs
            .iter()
            .find(|pair| pair.forward.eq_ignore_ascii_case(kind) || pair.inverse.eq_ignore_ascii_case(kind))
    }

    /// Types in the order in which they are listed, and their words.
    pub fn words(&self) -> impl Iterator<Item = (&str, &Text)> {
        let own = WORDS.iter().map(|(kind, word)| (*kind, word));
        own.chain(self.words.iter().map(|(kind, word)| (kind.as_str(), word)))
    }

    /// Those that the configuration adds, from the far end: what an entity is told of by others.
    pub fn declared_inverses(&self) -> impl Iterator<Item = (&str, &Text)> {
        let declared = self.pairs.iter().skip(PAIRS.len());
        declared.filter_map(|pair| {
            let (kind, word) = self.words.iter().find(|(kind, _)| *kind == pair.inverse)?;
            Some((kind.as_str(), word))
        })
    }

    /// The words of a type; one that is not known as it is written.
    pub fn word(&self, kind: &str) -> Text {
        let known = self.words().find(|(known, _)| *known == kind);
        known.map_or_else(|| kind.into(), |(_, word)| word.clone())
    }

    /// The other type of the pair.
    pub fn inverse(&self, kind: &str) -> Option<&str> {
        self.pairs.iter().find_map(|pair| match kind {
            kind if kind == pair.forward => Some(&*pair.inverse),
            kind if kind == pair.inverse => Some(&*pair.forward),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_relation_has_its_words_and_its_inverse() {
        let relations = Relations::default();
        for (forward, back) in PAIRS {
            assert!(relations.words().any(|(kind, _)| kind == forward));
            assert!(relations.words().any(|(kind, _)| kind == back));
            assert_eq!(relations.inverse(forward), Some(back));
            assert_eq!(relations.inverse(back), Some(forward));
        }
        assert_eq!(relations.inverse("unheardOf"), None);
        assert_eq!(relations.word("unheardOf").to_string(), "unheardOf");
    }

    #[test]
    fn types_belong_to_one_pair() {
        let mut relations = Relations::default();
        let add = |relations: &mut Relations, forward, inverse| {
            relations
                .add(forward, inverse, (None, None))
                .map_err(|(key, reason)| format!("{key}: {reason}"))
        };
        for (forward, inverse, expected) in [
            ("runsOn", "runs", None),
            ("runsOn", "runs", None),
            ("runs", "runsOn", None),
            ("dependencyOf", "dependsOn", None),
            (
                "runsOn",
                "hosts",
                Some("inverse: runsOn and runs belong together already"),
            ),
            (
                "hostedBy",
                "runs",
                Some("forward: runsOn and runs belong together already"),
            ),
            (
                "ownedBy",
                "owns",
                Some("inverse: ownedBy and ownerOf belong together already"),
            ),
            (
                "RunsOn",
                "Runs",
                Some("inverse: runsOn and runs belong together already"),
            ),
        ] {
            assert_eq!(
                add(&mut relations, forward, inverse).err().as_deref(),
                expected,
                "{forward} {inverse}"
            );
        }
        assert_eq!(relations.pairs.len(), PAIRS.len() + 1);
        let words = (Some("Runs on".into()), None);
        relations.add("runsOn", "runs", words).unwrap();
        assert_eq!(relations.word("runsOn").to_string(), "Runs on");
        assert_eq!(relations.word("runs").to_string(), "runs");
        let inverses: Vec<&str> = relations.declared_inverses().map(|(kind, _)| kind).collect();
        assert_eq!(inverses, ["runs"]);
    }
}
