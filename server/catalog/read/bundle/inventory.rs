//! All references of a definition, and where the value of each is put in.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use super::Place;
use super::pointers::pointer_of;

/// References of one definition, at most.
const MAX_REFERENCES: usize = 20_000;

/// A reference that was met, and what it leads to.
#[derive(Clone)]
pub struct Reference {
    pub at: Place,
    /// Where it stands once all is put together.
    pub from_root: Vec<String>,
    pub target: Place,
    /// It names itself.
    pub circular: bool,
    /// It has other keys beside `$ref`.
    pub extended: bool,
    /// References passed on the way to it and on the way to its target.
    pub indirections: usize,
}

/// What becomes of a reference.
pub enum Fate {
    /// The value takes its place.
    Put(Place),
    /// It points there: keys from the root.
    Point(Vec<String>),
}

/// References met so far, in the order of meeting.
#[derive(Default)]
pub struct Inventory {
    /// Objects and lists that were gone through.
    pub seen: HashSet<Place>,
    list: Vec<Option<Reference>>,
    known: HashMap<Place, usize>,
}

/// How a reference was met.
pub enum Met {
    First,
    /// It was met before, farther from the root.
    Nearer,
    Known,
}

impl Inventory {
    /// Takes a reference in, unless it is known and nearer to the root than this.
    pub fn add(&mut self, reference: Reference) -> Result<Met, String> {
        if self.list.len() >= MAX_REFERENCES {
            return Err(format!("the definition has more than {MAX_REFERENCES} references"));
        }
        let known = self.known.get(&reference.at).copied();
        if let Some(index) = known
            && let Some(known) = &self.list[index]
        {
            let nearer =
                reference.from_root.len() < known.from_root.len() || reference.indirections < known.indirections;
            if !nearer {
                return Ok(Met::Known);
            }
            self.list[index] = None;
        }
        self.known.insert(reference.at.clone(), self.list.len());
        self.list.push(Some(reference));
        Ok(if known.is_some() { Met::Nearer } else { Met::First })
    }

    /// Puts each value in where it is met first in the order of the package, and lets the others point there.
    pub fn decide(self) -> HashMap<Place, Fate> {
        let mut list: Vec<Reference> = self.list.into_iter().flatten().collect();
        list.sort_by(Reference::compare);
        let mut fates = HashMap::new();
        let mut last: Option<Reference> = None;
        for one in list {
            let within = last
                .as_ref()
                .filter(|last| last.target.0 == one.target.0)
                .and_then(|last| Some((last, one.target.1.strip_prefix(last.target.1.as_slice())?)));
            let fate = match within {
                _ if !one.is_external() => Fate::Point(one.target.1.clone()),
                Some((last, rest)) => Fate::Point([last.from_root.as_slice(), rest].concat()),
                None => {
                    let fate = match one.circular {
                        true => Fate::Point(one.from_root.clone()),
                        false => Fate::Put(one.target.clone()),
                    };
                    last = Some(one.clone());
                    fate
                }
            };
            fates.insert(one.at, fate);
        }
        fates
    }
}

impl Reference {
    /// Its target stands in another file than the definition itself.
    pub fn is_external(&self) -> bool {
        self.target.0 != 0
    }

    fn compare(&self, other: &Self) -> Ordering {
        let definitions = |one: &Self| one.from_root.iter().rposition(|key| is_definitions(key));
        (self.target.0.cmp(&other.target.0))
            .then_with(|| pointer_of(&self.target.1).cmp(&pointer_of(&other.target.1)))
            .then_with(|| other.circular.cmp(&self.circular))
            .then_with(|| self.extended.cmp(&other.extended))
            .then_with(|| self.indirections.cmp(&other.indirections))
            .then_with(|| self.from_root.len().cmp(&other.from_root.len()))
            .then_with(|| definitions(other).cmp(&definitions(self)))
            .then_with(|| {
                pointer_of(&self.from_root)
                    .len()
                    .cmp(&pointer_of(&other.from_root).len())
            })
    }
}

/// Keys below which most people expect what is referred to.
pub fn is_definitions(key: &str) -> bool {
    matches!(key, "definitions" | "$defs")
}
