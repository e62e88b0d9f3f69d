//! Words with one mistake: a letter wrong, missing, too many, or two exchanged.

use memchr::memmem::Finder;

/// Words that are looked for at most.
pub const MOST_WORDS: usize = 10;
/// The shortest word in which a wrong letter is forgiven: of shorter ones, too much is similar.
const SHORTEST_FORGIVEN: usize = 4;

/// What somebody typed, with mistakes perhaps.
pub struct Nearly {
    words: Vec<Word>,
}

struct Word {
    /// Lower case.
    word: String,
    /// One of these stands in everything that is nearly the word.
    parts: Vec<Finder<'static>>,
}

impl Nearly {
    /// `None` where all words are too short to be forgiven anything.
    pub fn of(text: &str) -> Option<Self> {
        let words: Vec<Word> = parts_of(text)
            .take(MOST_WORDS)
            .map(str::to_lowercase)
            .map(|word| Word {
                parts: parts(&word)
                    .iter()
                    .map(|part| Finder::new(part.as_bytes()).into_owned())
                    .collect(),
                word,
            })
            .collect();
        let forgivable = words.iter().any(|word| word.word.chars().count() >= SHORTEST_FORGIVEN);
        forgivable.then_some(Self { words })
    }

    /// A quick look that says no to most of what does not match.
    pub fn may_match(&self, text: &str) -> bool {
        let text = text.as_bytes();
        let mut words = self.words.iter();
        words.all(|word| word.parts.iter().any(|part| part.find(text).is_some()))
    }

    /// Does every word stand in one of the texts, with one mistake at most?
    pub fn matches(&self, texts: &[&str]) -> bool {
        self.words.iter().all(|Word { word, .. }| {
            texts
                .iter()
                .any(|text| text.contains(word.as_str()) || parts_of(text).any(|other| is_nearly(word, other)))
        })
    }
}

/// Runs of letters and digits.
pub fn parts_of(text: &str) -> impl Iterator<Item = &str> {
    let runs = text.split(|letter: char| !letter.is_alphanumeric());
    runs.filter(|run| !run.is_empty())
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

/// In each word with one mistake one half is as it should be, or the two letters in its middle are exchanged.
fn parts(word: &str) -> Vec<String> {
    let letters: Vec<char> = word.chars().collect();
    if letters.len() < SHORTEST_FORGIVEN {
        return vec![word.to_owned()];
    }
    let (first, second) = letters.split_at(letters.len() / 2);
    let mut exchanged = letters.clone();
    exchanged.swap(first.len() - 1, first.len());
    vec![
        first.iter().collect(),
        second.iter().collect(),
        exchanged.iter().collect(),
    ]
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
            let nearly = Nearly::of(&word).unwrap();
            assert!(nearly.may_match(right) && nearly.matches(&[right]), "{word}");
        }
        assert!(Nearly::of("abc").is_none());
    }
}
