//! A template whose form is being filled in.

use serde_json::Value;

use super::gallery::path;
use crate::catalog::{Entity, EntityRef};
use crate::language::{Text, text};
use crate::scaffolder::Scaffolder;
use crate::scaffolder::forms::{Control, Page, Pairs, Parsed, parse_form, to_pairs, validate_page};
use crate::scaffolder::template::Template;
use crate::web::{Error, FieldError};

/// Where this form's own fields start: names of parameters that start so are not lost, they only cannot be
/// filled in here.
const OWN: char = '_';

/// What both pages say of the template.
pub struct Head {
    pub path: String,
    pub title: String,
    pub description: String,
    pub create_label: Text,
    pub review_label: Text,
    pub back_label: Text,
}

/// A template and how its form is filled in so far.
pub struct Draft {
    pub entity: Entity,
    pub template: Template,
    pub pairs: Pairs,
    pub parsed: Parsed,
}

impl Draft {
    pub async fn open(
        scaffolder: &Scaffolder,
        (namespace, name): &(String, String),
        pairs: Pairs,
    ) -> Result<Self, Error> {
        let template_ref = EntityRef::new("template", namespace, name);
        let (entity, template) = scaffolder.template(&template_ref.to_string()).await?;
        let parsed = parse_form(&pairs, &template.parameters);
        Ok(Self {
            entity,
            template,
            pairs,
            parsed,
        })
    }

    /// Fills the form in.
    pub fn fill(&mut self, values: &Value) {
        self.pairs = to_pairs(values, &self.template.parameters);
        self.parsed = parse_form(&self.pairs, &self.template.parameters);
    }

    /// Takes back what was typed as a password; gives the first page that asks for one of those.
    pub fn forget_masked(&mut self) -> Option<usize> {
        let masked = |at: &usize| -> Vec<String> {
            let fields = self.page(*at).into_iter();
            fields
                .flat_map(|page| {
                    let masked = page
                        .fields()
                        .filter(|field| field.is_masked())
                        .map(|field| field.path.clone());
                    masked.collect::<Vec<_>>()
                })
                .filter(|path| self.pairs.iter().any(|(name, _)| name == path))
                .collect()
        };
        let pages: Vec<(usize, Vec<String>)> = (0..self.template.parameters.len())
            .map(|at| (at, masked(&at)))
            .filter(|(_, masked)| !masked.is_empty())
            .collect();
        self.pairs
            .retain(|(name, _)| !pages.iter().any(|(_, masked)| masked.contains(name)));
        self.parsed = parse_form(&self.pairs, &self.template.parameters);
        pages.first().map(|(at, _)| *at)
    }

    pub fn values(&self) -> &Value {
        &self.parsed.values
    }

    pub fn head(&self) -> Head {
        let label = |key: &str, default: Text| {
            let labels = &self.entity.body["spec"]["presentation"]["buttonLabels"];
            labels[key].as_str().map_or(default, Text::from)
        };
        Head {
            path: path(&self.entity.entity_ref()),
            title: self.entity.title().to_owned(),
            description: self.entity.description().unwrap_or_default().to_owned(),
            create_label: label("createButtonText", text!("Create")),
            review_label: label("reviewButtonText", text!("Review")),
            back_label: label("backButtonText", text!("Back")),
        }
    }

    pub fn page(&self, at: usize) -> Option<Page> {
        self.template
            .parameters
            .get(at)
            .map(|schema| Page::read(schema, self.values()))
    }

    /// What is wrong with the answers of one page: unreadable ones, and what its schema says.
    pub fn problems(&self, at: usize) -> Vec<FieldError> {
        let Some(page) = self.page(at) else { return Vec::new() };
        let mut problems: Vec<FieldError> = self
            .parsed
            .problems
            .iter()
            .filter(|problem| page.fields().any(|field| field.path == problem.field))
            .cloned()
            .collect();
        for problem in validate_page(&self.template.parameters[at], self.values()) {
            let known = problems.iter().any(|known| known.field == problem.field);
            // Secrets are asked on the review page.
            let later = page
                .fields()
                .any(|field| field.path == problem.field && field.control == Control::Secret);
            if !known && !later {
                problems.push(problem);
            }
        }
        problems
    }

    /// The page that asks for a field.
    pub fn page_of(&self, field: &str) -> Option<usize> {
        (0..self.template.parameters.len()).find(|at| {
            self.page(*at)
                .is_some_and(|page| page.fields().any(|known| known.path == field))
        })
    }

    /// The first page with something wrong, and what.
    pub fn first_problems(&self) -> Option<(usize, Vec<FieldError>)> {
        (0..self.template.parameters.len())
            .map(|at| (at, self.problems(at)))
            .find(|(_, problems)| !problems.is_empty())
    }

    /// What was sent, but for the fields of one page, which shows them itself, and secrets.
    pub fn carried(&self, except: Option<&Page>) -> Pairs {
        let own: Vec<String> = except
            .into_iter()
            .flat_map(|page| page.fields().map(|field| field.path.clone()))
            .collect();
        self.pairs
            .iter()
            .filter(|(name, _)| !name.starts_with(OWN) && !self.parsed.secrets.contains_key(name))
            .filter(|(name, _)| !own.iter().any(|own| name == own || is_part(name, own)))
            .cloned()
            .collect()
    }
}

/// `repoUrl.host` belongs to `repoUrl`.
fn is_part(name: &str, field: &str) -> bool {
    name.strip_prefix(field)
        .is_some_and(|rest| matches!(rest, ".host" | ".owner" | ".repo"))
}

/// The value of one of the form's own fields.
pub fn own<'p>(pairs: &'p [(String, String)], name: &str) -> Option<&'p str> {
    pairs
        .iter()
        .rev()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

pub fn number(pairs: &[(String, String)], name: &str) -> Option<usize> {
    own(pairs, name)?.parse().ok()
}
