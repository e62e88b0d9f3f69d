//! What is shown of a definition, whatever its language: named things in sections, each with its texts, its fields and
//! examples. What reads a language fills it, one template shows it.

use crate::language::Text;

/// Things of one definition; what is beyond is left to the raw text.
pub const MOST_ITEMS: usize = 3_000;
/// Fields and examples of one definition, in all.
pub const MOST_LINES: usize = 40_000;

/// A definition as it is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    pub title: String,
    pub version: String,
    /// Such as `OpenAPI 3.0.3`.
    pub language: String,
    /// Markdown.
    pub description: String,
    /// Addresses at which it is served, with what they are for.
    pub servers: Vec<(String, String)>,
    pub sections: Vec<Section>,
    /// Something was left out because there is too much of it.
    pub cut: bool,
}

/// Things that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    pub title: Text,
    /// Markdown.
    pub description: String,
    pub items: Vec<Item>,
}

/// One operation, message, type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Item {
    /// Anchor of the page, no two alike.
    pub id: String,
    /// `GET`, `publish`, `type`.
    pub badge: String,
    pub name: String,
    pub summary: String,
    pub deprecated: bool,
    pub parts: Vec<Part>,
}

/// A part of what is told of a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Markdown.
    Text(String),
    Fields {
        title: Text,
        /// Beside the title: a media type, a status' words.
        note: String,
        fields: Vec<Field>,
    },
    Code {
        title: Text,
        /// As [`crate::web::code`] names languages.
        language: &'static str,
        text: String,
    },
}

/// A field, a parameter, a method, a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Field {
    /// Fields that it is inside of.
    pub depth: u8,
    pub name: String,
    /// In words of the language: `array of Pet`, `[Pet!]!`.
    pub kind: String,
    /// Id of the item that `kind` names.
    pub target: Option<String>,
    pub required: bool,
    pub deprecated: bool,
    /// `enum: a, b`, `in: query`.
    pub facts: Vec<String>,
    pub description: String,
}

impl Section {
    pub fn new(title: Text, items: Vec<Item>) -> Self {
        Self {
            title,
            description: String::new(),
            items,
        }
    }
}

impl Part {
    /// Fields that need no title.
    pub fn fields(fields: Vec<Field>) -> Self {
        Self::Fields {
            title: "".into(),
            note: String::new(),
            fields,
        }
    }
}

impl Field {
    pub fn new(depth: u8, name: impl Into<String>, kind: impl Into<String>) -> Self {
        Self {
            depth,
            name: name.into(),
            kind: kind.into(),
            ..Self::default()
        }
    }
}

impl Outline {
    /// Gives every item an id of its own, and leaves out what is too much.
    pub fn finished(mut self) -> Self {
        let mut taken = std::collections::HashSet::new();
        let (mut items, mut lines) = (0, 0);
        for section in &mut self.sections {
            for item in &mut section.items {
                let base = slug(&item.id);
                let mut id = base.clone();
                let mut number = 1;
                while !taken.insert(id.clone()) {
                    number += 1;
                    id = format!("{base}-{number}");
                }
                item.id = id;
                items += 1;
                lines += item.parts.iter().map(Part::lines).sum::<usize>();
                if lines > MOST_LINES {
                    self.cut |= !item.parts.is_empty();
                    item.parts.clear();
                }
            }
        }
        if items > MOST_ITEMS {
            self.cut = true;
            let mut left = MOST_ITEMS;
            for section in &mut self.sections {
                section.items.truncate(left);
                left -= section.items.len();
            }
        }
        self.sections.retain(|section| !section.items.is_empty());
        self
    }

    /// Bytes that it takes in memory, about.
    pub fn size(&self) -> usize {
        let of_items = |section: &Section| section.items.iter().map(Item::size).sum::<usize>();
        let sections = self.sections.iter();
        1024 + self.description.len()
            + sections
                .map(|section| section.description.len() + of_items(section))
                .sum::<usize>()
    }
}

impl Item {
    fn size(&self) -> usize {
        let text = self.id.len() + self.name.len() + self.summary.len();
        256 + text + self.parts.iter().map(Part::size).sum::<usize>()
    }
}

impl Part {
    fn lines(&self) -> usize {
        match self {
            Self::Text(_) => 1,
            Self::Fields { fields, .. } => fields.len(),
            Self::Code { text, .. } => text.lines().count(),
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Text(text) | Self::Code { text, .. } => 64 + text.len(),
            Self::Fields { fields, .. } => {
                let of = |field: &Field| 192 + field.name.len() + field.kind.len() + field.description.len();
                64 + fields.iter().map(of).sum::<usize>()
            }
        }
    }
}

/// A text as part of an address: letters and digits, the rest hyphens.
pub fn slug(text: &str) -> String {
    let mut slug = String::from("d-");
    for letter in text.chars().take(120) {
        match letter {
            letter if letter.is_ascii_alphanumeric() || letter == '_' || letter == '.' => slug.push(letter),
            _ if !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
    }
    slug.trim_end_matches('-').to_owned()
}

/// The beginning of a text, cut between letters.
pub fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
