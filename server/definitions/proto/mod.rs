//! Protocol Buffers' files (proto2 and proto3), with gRPC's services.

use std::collections::HashSet;

use super::outline::{Field, Item, Outline, Part, Section, slug};
use super::tokens::{Cursor, Fault, Kind, Language, Token, read as tokens};
use crate::language::text;

/// Messages in messages.
const DEEPEST: usize = 30;

/// Reads a file.
///
/// # Errors
/// It is none, and where.
pub fn read(text: &str) -> Result<Outline, Fault> {
    let all = tokens(text, Language::Proto)?;
    let comments = Comments::of(&all);
    let mut reader = Reader {
        cursor: Cursor::new(all.into_iter().filter(|token| token.kind != Kind::Comment).collect()),
        comments,
        package: String::new(),
        syntax: "proto2".to_owned(),
        services: Vec::new(),
        types: Vec::new(),
    };
    reader.file()?;
    Ok(reader.outline())
}

/// What is said before a line, and at its end.
struct Comments(std::collections::HashMap<usize, String>);

impl Comments {
    fn of(tokens: &[Token<'_>]) -> Self {
        let mut before = std::collections::HashMap::new();
        let mut waiting: Vec<&Token<'_>> = Vec::new();
        let mut last_line = 0;
        for token in tokens {
            if token.kind == Kind::Comment {
                // What stands behind something is about that, not about what follows.
                if token.line != last_line {
                    waiting.push(token);
                }
                continue;
            }
            if !waiting.is_empty() {
                // Only what stands right above: a licence at the head of the file is about nothing.
                let mut lines = Vec::new();
                let mut next = token.line;
                for comment in waiting.drain(..).rev() {
                    if comment.line + comment.text.lines().count() < next {
                        break;
                    }
                    next = comment.line;
                    lines.push(said(comment.text));
                }
                lines.reverse();
                before.insert(token.line, lines.join("\n"));
            }
            last_line = token.line;
        }
        Self(before)
    }

    fn before(&self, line: usize) -> String {
        self.0.get(&line).cloned().unwrap_or_default()
    }
}

/// A comment without its marks.
fn said(comment: &str) -> String {
    if let Some(line) = comment.strip_prefix("//") {
        return line.trim().to_owned();
    }
    let inner = comment
        .trim_start_matches("/*")
        .trim_end_matches("*/")
        .trim_matches('*');
    let lines = inner.lines().map(|line| line.trim().trim_start_matches('*').trim());
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

struct Reader<'t> {
    cursor: Cursor<'t>,
    comments: Comments,
    package: String,
    syntax: String,
    services: Vec<Section>,
    types: Vec<Item>,
}

impl<'t> Reader<'t> {
    fn file(&mut self) -> Result<(), Fault> {
        while let Some(token) = self.cursor.peek() {
            match token.text {
                ";" => {
                    self.cursor.next();
                }
                "syntax" | "edition" => {
                    self.cursor.next();
                    self.cursor.expect("=")?;
                    let value = self.cursor.next().map_or("", |token| token.text);
                    self.syntax = value.trim_matches(['"', '\'']).to_owned();
                    self.statement()?;
                }
                "package" => {
                    self.cursor.next();
                    self.package = self.cursor.word()?.to_owned();
                    self.statement()?;
                }
                "import" | "option" => self.statement()?,
                "service" => self.service()?,
                "message" | "enum" | "extend" => self.definition("", 0)?,
                _ => return Err(self.cursor.fault("expected a message, an enum or a service")),
            }
        }
        Ok(())
    }

    /// Goes past a statement that is not shown.
    fn statement(&mut self) -> Result<(), Fault> {
        while let Some(token) = self.cursor.next() {
            match (token.kind, token.text) {
                (Kind::Sign, ";") => return Ok(()),
                (Kind::Sign, "{") => self.cursor.skip_group("{", "}")?,
                _ => {}
            }
        }
        Err(self.cursor.fault("expected ;"))
    }

    fn comment(&self) -> String {
        self.cursor
            .peek()
            .map_or_else(String::new, |token| self.comments.before(token.line))
    }

    fn service(&mut self) -> Result<(), Fault> {
        let description = self.comment();
        self.cursor.next();
        let name = self.cursor.word()?.to_owned();
        self.cursor.expect("{")?;
        let mut items = Vec::new();
        while !self.cursor.take("}") {
            match self.cursor.peek() {
                Some(token) if token.text == "rpc" => items.push(self.method(&name)?),
                Some(token) if token.text == ";" => {
                    self.cursor.next();
                }
                Some(token) if token.text == "option" => self.statement()?,
                _ => return Err(self.cursor.fault("expected rpc")),
            }
        }
        self.services.push(Section {
            description,
            ..Section::new(name.into(), items)
        });
        Ok(())
    }

    fn method(&mut self, service: &str) -> Result<Item, Fault> {
        let description = self.comment();
        self.cursor.next();
        let name = self.cursor.word()?.to_owned();
        let takes = self.message("takes")?;
        self.cursor.expect("returns")?;
        let gives = self.message("gives")?;
        let mut deprecated = false;
        if self.cursor.take("{") {
            while !self.cursor.take("}") {
                if self.cursor.take(";") {
                    continue;
                }
                let is_option = self.cursor.peek().is_some_and(|token| token.text == "option");
                if !is_option {
                    return Err(self.cursor.fault("expected option"));
                }
                self.cursor.next();
                deprecated |= self.cursor.peek().is_some_and(|token| token.text == "deprecated");
                self.statement()?;
            }
        } else {
            self.cursor.expect(";")?;
        }
        let mut parts: Vec<Part> = (!description.is_empty())
            .then_some(Part::Text(description))
            .into_iter()
            .collect();
        parts.push(Part::fields(vec![takes, gives]));
        Ok(Item {
            id: format!("{service}.{name}"),
            badge: "rpc".to_owned(),
            name,
            summary: String::new(),
            deprecated,
            parts,
        })
    }

    /// `(stream Message)`
    fn message(&mut self, name: &str) -> Result<Field, Fault> {
        self.cursor.expect("(")?;
        let mut word = self.cursor.word()?;
        let stream = word == "stream" && self.cursor.peek().is_some_and(|token| token.kind == Kind::Word);
        if stream {
            word = self.cursor.word()?;
        }
        self.cursor.expect(")")?;
        let mut field = self.field(name, word);
        if stream {
            field.facts.push("stream".to_owned());
        }
        Ok(field)
    }

    fn field(&self, name: &str, kind: &str) -> Field {
        let mut field = Field::new(0, name, kind);
        let own = format!("{}.", self.package);
        let plain = kind.trim_start_matches('.');
        field.target = Some(slug(plain.strip_prefix(&own).unwrap_or(plain)));
        field
    }

    /// A message, an enum or an extension, with all that is defined in it.
    fn definition(&mut self, outer: &str, depth: usize) -> Result<(), Fault> {
        if depth > DEEPEST {
            return Err(self.cursor.fault("the message is too deep"));
        }
        let description = self.comment();
        let word = self.cursor.word()?;
        let own = self.cursor.word()?;
        let name = if outer.is_empty() {
            own.to_owned()
        } else {
            format!("{outer}.{own}")
        };
        self.cursor.expect("{")?;
        // It stands before what is defined in it.
        let place = self.types.len();
        self.types.push(Item {
            id: name.clone(),
            badge: word.to_owned(),
            name: name.clone(),
            ..Item::default()
        });
        let mut fields = Vec::new();
        self.body(&name, word == "enum", &mut fields, depth)?;
        let item = &mut self.types[place];
        if !description.is_empty() {
            item.parts.push(Part::Text(description));
        }
        item.parts.push(Part::fields(fields));
        Ok(())
    }

    /// What is in a message, up to its closing brace.
    fn body(&mut self, name: &str, of_enum: bool, fields: &mut Vec<Field>, depth: usize) -> Result<(), Fault> {
        while !self.cursor.take("}") {
            let Some(token) = self.cursor.peek() else {
                return Err(self.cursor.fault("expected }"));
            };
            match token.text {
                ";" => {
                    self.cursor.next();
                }
                "option" | "reserved" | "extensions" => self.statement()?,
                _ if of_enum => fields.push(self.value()?),
                "message" | "enum" | "extend" if self.defines() => self.definition(name, depth + 1)?,
                "oneof" if self.defines() => {
                    self.cursor.next();
                    let choice = self.cursor.word()?;
                    self.cursor.expect("{")?;
                    let first = fields.len();
                    self.body(name, false, fields, depth + 1)?;
                    for field in fields.iter_mut().skip(first) {
                        field.facts.push(format!("oneof {choice}"));
                    }
                }
                _ => fields.push(self.message_field()?),
            }
            if depth > DEEPEST {
                return Err(self.cursor.fault("the message is too deep"));
            }
        }
        Ok(())
    }

    /// Does a name with a brace follow? `message` may be the type of a field's name as well.
    fn defines(&self) -> bool {
        self.cursor.peek_at(1).is_some_and(|token| token.kind == Kind::Word)
            && self.cursor.peek_at(2).is_some_and(|token| token.text == "{")
    }

    fn value(&mut self) -> Result<Field, Fault> {
        let description = self.comment();
        let mut field = Field::new(0, self.cursor.word()?, "");
        field.description = description;
        self.cursor.expect("=")?;
        let minus = if self.cursor.take("-") { "-" } else { "" };
        field.kind = format!("{minus}{}", self.cursor.word()?);
        self.options(&mut field)?;
        self.cursor.expect(";")?;
        Ok(field)
    }

    fn message_field(&mut self) -> Result<Field, Fault> {
        let description = self.comment();
        let mut label = "";
        let mut kind = self.cursor.word()?;
        if ["repeated", "optional", "required"].contains(&kind)
            && self.cursor.peek_at(1).is_some_and(|token| token.kind == Kind::Word)
        {
            (label, kind) = (kind, self.cursor.word()?);
        }
        let mut shown = kind.to_owned();
        if kind == "map" && self.cursor.take("<") {
            let key = self.cursor.word()?;
            if !self.cursor.take(",") {
                return Err(self.cursor.fault("expected ,"));
            }
            kind = self.cursor.word()?;
            self.cursor.expect(">")?;
            shown = format!("map<{key}, {kind}>");
        }
        let name = self.cursor.word()?;
        let mut field = self.field(name, kind);
        field.kind = match label {
            "repeated" => format!("repeated {shown}"),
            _ => shown,
        };
        field.required = label == "required";
        if label == "optional" {
            field.facts.push("optional".to_owned());
        }
        field.description = description;
        self.cursor.expect("=")?;
        field.facts.push(format!("= {}", self.cursor.word()?));
        self.options(&mut field)?;
        // A group of proto2 has its fields behind it.
        match self.cursor.take("{") {
            true => self.cursor.skip_group("{", "}")?,
            false => self.cursor.expect(";")?,
        }
        Ok(field)
    }

    fn options(&mut self, field: &mut Field) -> Result<(), Fault> {
        if !self.cursor.take("[") {
            return Ok(());
        }
        field.deprecated = self.cursor.peek().is_some_and(|token| token.text == "deprecated");
        self.cursor.skip_group("[", "]")
    }

    fn outline(self) -> Outline {
        let defined: HashSet<String> = self.types.iter().map(|item| slug(&item.id)).collect();
        let (enums, messages): (Vec<Item>, Vec<Item>) = self.types.into_iter().partition(|item| item.badge == "enum");
        let mut sections = self.services;
        sections.push(Section::new(text!("Messages"), messages));
        sections.push(Section::new(text!("Enums"), enums));
        for section in &mut sections {
            for item in &mut section.items {
                let scope = slug(&item.id);
                for part in &mut item.parts {
                    let Part::Fields { fields, .. } = part else { continue };
                    for field in fields {
                        field.target = field.target.take().and_then(|target| found(&defined, &scope, &target));
                    }
                }
            }
        }
        Outline {
            title: self.package,
            language: format!("gRPC, {}", self.syntax),
            sections,
            ..Outline::default()
        }
    }
}

/// A name is looked for in what it stands in, then further out.
fn found(defined: &HashSet<String>, scope: &str, target: &str) -> Option<String> {
    let name = target.strip_prefix("d-")?;
    let mut scope = scope;
    loop {
        let inner = format!("{scope}.{name}");
        if defined.contains(&inner) {
            return Some(inner);
        }
        match scope.rsplit_once('.') {
            Some((outer, _)) => scope = outer,
            None => return defined.contains(target).then(|| target.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
