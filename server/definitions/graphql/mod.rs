//! GraphQL's schema language (specification of October 2021, "Type System").

use std::collections::HashSet;

use super::outline::{Field, Item, Outline, Part, Section, slug};
use super::tokens::{Cursor, Fault, Kind, Language, read as tokens};
use crate::language::{Text, text};

/// Types inside of types: `[[[…]]]`.
const DEEPEST: usize = 20;

/// What a definition is, by its word.
static KINDS: [(&str, Text); 7] = [
    ("type", text!("Types")),
    ("interface", text!("Interfaces")),
    ("union", text!("Unions")),
    ("input", text!("Inputs")),
    ("enum", text!("Enums")),
    ("scalar", text!("Scalars")),
    ("directive", text!("Directives")),
];

/// Reads a schema.
///
/// # Errors
/// It is none, and where.
pub fn read(text: &str) -> Result<Outline, Fault> {
    let tokens = tokens(text, Language::GraphQl)?;
    let mut reader = Reader {
        cursor: Cursor::new(tokens.into_iter().filter(|token| token.kind != Kind::Comment).collect()),
        roots: [
            ("Query".to_owned(), text!("Queries")),
            ("Mutation".to_owned(), text!("Mutations")),
            ("Subscription".to_owned(), text!("Subscriptions")),
        ],
        found: Vec::new(),
    };
    while reader.cursor.peek().is_some() {
        reader.definition()?;
    }
    Ok(reader.outline())
}

struct Found {
    word: &'static str,
    item: Item,
}

struct Reader<'t> {
    cursor: Cursor<'t>,
    /// Types whose fields are operations.
    roots: [(String, Text); 3],
    found: Vec<Found>,
}

impl<'t> Reader<'t> {
    fn definition(&mut self) -> Result<(), Fault> {
        let description = self.description();
        let extends = self.cursor.take("extend");
        let word = self.cursor.word()?;
        if word == "schema" {
            return self.schema();
        }
        if word == "directive" {
            return self.directive(description);
        }
        let Some((word, _)) = KINDS.iter().find(|(known, _)| *known == word) else {
            return Err(Fault {
                message: format!("{word} is no definition of a schema"),
                ..self.cursor.fault("")
            });
        };
        let word = *word;
        let name = self.cursor.word()?.to_owned();
        let mut parts: Vec<Part> = description.map(Part::Text).into_iter().collect();
        let mut summary = String::new();
        if self.cursor.take("implements") {
            summary = format!("implements {}", self.names("&")?.join(", "));
        }
        let facts = self.directives()?;
        if !facts.is_empty() {
            summary = [summary, facts.join(" ")].join(" ").trim().to_owned();
        }
        let fields = match word {
            "union" if self.cursor.take("=") => {
                let names = self.names("|")?;
                names.into_iter().map(|name| linked(Field::new(0, "", name))).collect()
            }
            "scalar" | "union" => Vec::new(),
            _ if self.cursor.take("{") => self.fields(word == "enum")?,
            _ => Vec::new(),
        };
        if !fields.is_empty() {
            parts.push(Part::fields(fields));
        }
        // What is added later belongs to what is added to.
        let known = self
            .found
            .iter_mut()
            .find(|found| found.item.name == name && found.word == word);
        match known.filter(|_| extends) {
            Some(known) => known.item.parts.extend(parts),
            None => self.found.push(Found {
                word,
                item: Item {
                    id: name.clone(),
                    badge: word.to_owned(),
                    name,
                    summary,
                    deprecated: false,
                    parts,
                },
            }),
        }
        Ok(())
    }

    fn schema(&mut self) -> Result<(), Fault> {
        self.directives()?;
        if !self.cursor.take("{") {
            return Ok(());
        }
        while !self.cursor.take("}") {
            let operation = self.cursor.word()?;
            self.cursor.expect(":")?;
            let name = self.cursor.word()?.to_owned();
            let index = ["query", "mutation", "subscription"]
                .iter()
                .position(|known| *known == operation);
            if let Some(root) = index.and_then(|index| self.roots.get_mut(index)) {
                root.0 = name;
            }
        }
        Ok(())
    }

    fn directive(&mut self, description: Option<String>) -> Result<(), Fault> {
        self.cursor.expect("@")?;
        let name = self.cursor.word()?;
        let arguments = if self.cursor.take("(") {
            self.arguments()?
        } else {
            Vec::new()
        };
        self.cursor.take("repeatable");
        self.cursor.expect("on")?;
        let places = self.names("|")?;
        let mut parts: Vec<Part> = description.map(Part::Text).into_iter().collect();
        parts.push(Part::fields(arguments));
        self.found.push(Found {
            word: "directive",
            item: Item {
                id: format!("directive-{name}"),
                badge: "directive".to_owned(),
                name: format!("@{name}"),
                summary: format!("on {}", places.join(", ")),
                deprecated: false,
                parts,
            },
        });
        Ok(())
    }

    /// Fields up to the closing brace; those of an enum are names only.
    fn fields(&mut self, of_enum: bool) -> Result<Vec<Field>, Fault> {
        let mut fields = Vec::new();
        while !self.cursor.take("}") {
            let description = self.description();
            let name = self.cursor.word()?;
            let arguments = if self.cursor.take("(") {
                self.arguments()?
            } else {
                Vec::new()
            };
            let mut field = Field::new(0, name, "");
            if !of_enum {
                self.cursor.expect(":")?;
                field.kind = self.kind(0)?;
            }
            self.default(&mut field)?;
            field.description = description.unwrap_or_default();
            self.mark(&mut field)?;
            fields.push(linked(field));
            fields.extend(arguments.into_iter().map(|argument| Field { depth: 1, ..argument }));
        }
        Ok(fields)
    }

    fn arguments(&mut self) -> Result<Vec<Field>, Fault> {
        let mut arguments = Vec::new();
        while !self.cursor.take(")") {
            let description = self.description();
            let name = self.cursor.word()?;
            self.cursor.expect(":")?;
            let mut field = Field::new(0, name, self.kind(0)?);
            self.default(&mut field)?;
            field.description = description.unwrap_or_default();
            self.mark(&mut field)?;
            arguments.push(linked(field));
        }
        Ok(arguments)
    }

    fn default(&mut self, field: &mut Field) -> Result<(), Fault> {
        if self.cursor.take("=") {
            let value = self.value()?;
            field.facts.push(format!("default: {value}"));
        }
        Ok(())
    }

    /// A value as it is written, however it is nested.
    fn value(&mut self) -> Result<String, Fault> {
        let (mut text, mut open) = (String::new(), 0_usize);
        loop {
            let Some(token) = self.cursor.next() else {
                return Err(self.cursor.fault("expected a value"));
            };
            if !text.is_empty() && !matches!(token.text, ":" | "]" | "}") && !text.ends_with(['[', '{', '-', '$']) {
                text.push(' ');
            }
            text.push_str(token.text);
            open += usize::from(matches!(token.text, "[" | "{"));
            if matches!(token.text, "]" | "}") {
                open = open.saturating_sub(1);
            }
            if open == 0 && !matches!(token.text, "-" | "$") {
                return Ok(super::outline::shortened(&text, 80));
            }
        }
    }

    fn kind(&mut self, depth: usize) -> Result<String, Fault> {
        if depth > DEEPEST {
            return Err(self.cursor.fault("the type is too deep"));
        }
        let mut kind = match self.cursor.take("[") {
            true => {
                let inner = self.kind(depth + 1)?;
                self.cursor.expect("]")?;
                format!("[{inner}]")
            }
            false => self.cursor.word()?.to_owned(),
        };
        if self.cursor.take("!") {
            kind.push('!');
        }
        Ok(kind)
    }

    fn names(&mut self, between: &str) -> Result<Vec<&'t str>, Fault> {
        self.cursor.take(between);
        let mut names = vec![self.cursor.word()?];
        // Older schemas have spaces between interfaces.
        while self.cursor.take(between)
            || (between == "&" && self.cursor.peek().is_some_and(|token| token.kind == Kind::Word))
        {
            names.push(self.cursor.word()?);
        }
        Ok(names)
    }

    /// The directives of a field.
    fn mark(&mut self, field: &mut Field) -> Result<(), Fault> {
        for directive in self.directives()? {
            match directive.strip_prefix("@deprecated") {
                Some(reason) => {
                    field.deprecated = true;
                    let reason = reason
                        .trim_start_matches("(reason: \"")
                        .trim_end_matches(")")
                        .trim_end_matches('"');
                    if !reason.is_empty() {
                        field.facts.push(reason.to_owned());
                    }
                }
                None => field.facts.push(directive),
            }
        }
        Ok(())
    }

    /// Directives as they are written.
    fn directives(&mut self) -> Result<Vec<String>, Fault> {
        let mut directives = Vec::new();
        while self.cursor.take("@") {
            let mut text = format!("@{}", self.cursor.word()?);
            if self.cursor.take("(") {
                let mut arguments = Vec::new();
                while !self.cursor.take(")") {
                    let name = self.cursor.word()?;
                    self.cursor.expect(":")?;
                    arguments.push(format!("{name}: {}", self.value()?));
                }
                text = format!("{text}({})", arguments.join(", "));
            }
            directives.push(text);
        }
        Ok(directives)
    }

    fn description(&mut self) -> Option<String> {
        let token = self.cursor.peek().filter(|token| token.kind == Kind::Text)?;
        self.cursor.next();
        let block = token
            .text
            .strip_prefix("\"\"\"")
            .and_then(|text| text.strip_suffix("\"\"\""));
        Some(match block {
            Some(text) => dedented(text),
            None => token.text.trim_matches('"').replace("\\\"", "\"").replace("\\n", "\n"),
        })
    }

    fn outline(self) -> Outline {
        let names: HashSet<&str> = self.found.iter().map(|found| found.item.name.as_str()).collect();
        let defined: HashSet<String> = names.into_iter().map(slug).collect();
        let mut sections: Vec<Section> = Vec::new();
        let (operations, others): (Vec<Found>, Vec<Found>) = self
            .found
            .into_iter()
            .partition(|found| self.roots.iter().any(|(root, _)| *root == found.item.name));
        for (root, title) in &self.roots {
            let roots = operations.iter().filter(|found| found.item.name == *root);
            let items = roots.flat_map(|found| fields_as_items(&found.item));
            sections.push(Section::new(title.clone(), items.collect()));
        }
        for (word, title) in &KINDS {
            let items = others.iter().filter(|found| found.word == *word);
            sections.push(Section::new(
                title.clone(),
                items.map(|found| found.item.clone()).collect(),
            ));
        }
        for field in sections
            .iter_mut()
            .flat_map(|section| &mut section.items)
            .flat_map(|item| &mut item.parts)
        {
            if let Part::Fields { fields, .. } = field {
                for field in fields {
                    field.target = field.target.take().filter(|target| defined.contains(target));
                }
            }
        }
        Outline {
            language: "GraphQL".to_owned(),
            sections,
            ..Outline::default()
        }
    }
}

/// Each field of a root type is an operation: what it takes, what it gives.
fn fields_as_items(root: &Item) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for part in &root.parts {
        let Part::Fields { fields, .. } = part else { continue };
        for field in fields {
            if field.depth > 0 {
                if let Some(Part::Fields { fields, .. }) = items.last_mut().and_then(|item| item.parts.last_mut()) {
                    let at = fields.len().saturating_sub(1);
                    fields.insert(
                        at,
                        Field {
                            depth: 0,
                            ..field.clone()
                        },
                    );
                }
                continue;
            }
            let mut parts = Vec::new();
            if !field.description.is_empty() {
                parts.push(Part::Text(field.description.clone()));
            }
            parts.push(Part::fields(vec![Field {
                name: "→".to_owned(),
                description: String::new(),
                ..field.clone()
            }]));
            items.push(Item {
                id: format!("{}.{}", root.name, field.name),
                badge: String::new(),
                name: field.name.clone(),
                summary: String::new(),
                deprecated: field.deprecated,
                parts,
            });
        }
    }
    items
}

/// With the id of the item that its type would have.
fn linked(mut field: Field) -> Field {
    let name = field.kind.trim_matches(['[', ']', '!']);
    field.target = Some(slug(name));
    field.required = field.kind.ends_with('!');
    field
}

/// A block without what all its lines are indented by.
fn dedented(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let indent = |line: &&str| line.len() - line.trim_start().len();
    let common = lines
        .iter()
        .skip(1)
        .filter(|line| !line.trim().is_empty())
        .map(indent)
        .min()
        .unwrap_or(0);
    let cut = lines.iter().enumerate().map(|(number, line)| match number {
        0 => line.trim_start(),
        _ => line.get(common..).unwrap_or_default(),
    });
    cut.collect::<Vec<_>>().join("\n").trim().replace("\\\"\"\"", "\"\"\"")
}

#[cfg(test)]
mod tests;
