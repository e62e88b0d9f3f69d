//! Filters: a closed list, those of Nunjucks 3.2.4 and the scaffolder's own.

mod backstage;
mod html;
mod lists;
mod numbers;
pub(super) mod text;

use super::Options;
use super::budget::Budget;
use super::coerce::{not_callable_here, to_number, to_text};
use super::error::Fault;
use super::value::{Text, Value, string, units};

/// Marks the object that carries the named arguments of a filter.
pub(super) const KEYWORDS: &str = "__keywords";

/// What filters may use.
pub(super) struct Context<'a> {
    pub budget: &'a Budget,
    pub options: &'a Options,
    /// There is a filter `jsonify`.
    pub cookiecutter: bool,
}

/// Arguments of a filter.
struct Given<'a> {
    name: &'a str,
    values: &'a [Value],
    cx: &'a Context<'a>,
}

type Outcome = Result<Value, Fault>;

/// `subject | name(arguments)`.
pub(super) fn apply(name: &str, subject: Value, arguments: &[Value], cx: &Context<'_>) -> Outcome {
    cx.budget.spend(1)?;
    let Some(filter) = find(name, cx.cookiecutter) else {
        return Err(Fault::unknown(format!("there is no filter \"{name}\"")));
    };
    if std::iter::once(&subject)
        .chain(arguments)
        .any(|value| matches!(value, Value::Function(_) | Value::Cycler(_)))
    {
        return Err(not_callable_here());
    }
    let given = Given {
        name,
        values: arguments,
        cx,
    };
    filter(subject, &given)
}

/// All of them, `jsonify` too.
pub(super) const NAMES: &[&str] = &[
    "abs",
    "batch",
    "capitalize",
    "center",
    "d",
    "default",
    "dictsort",
    "dump",
    "e",
    "escape",
    "first",
    "float",
    "forceescape",
    "groupby",
    "indent",
    "int",
    "join",
    "jsonify",
    "last",
    "length",
    "list",
    "lower",
    "nl2br",
    "parseEntityRef",
    "parseRepoUrl",
    "pick",
    "projectSlug",
    "random",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "slice",
    "sort",
    "string",
    "striptags",
    "sum",
    "title",
    "trim",
    "truncate",
    "upper",
    "urlencode",
    "urlize",
    "wordcount",
];

/// There is a filter of that name.
pub(super) fn is_known(name: &str, cookiecutter: bool) -> bool {
    find(name, cookiecutter).is_some()
}

fn find(name: &str, cookiecutter: bool) -> Option<fn(Value, &Given<'_>) -> Outcome> {
    Some(match name {
        "abs" => numbers::abs,
        "batch" => lists::batch,
        "capitalize" => text::capitalize,
        "center" => text::center,
        "d" | "default" => default,
        "dictsort" => lists::dictsort,
        "dump" => dump,
        "jsonify" if cookiecutter => dump,
        "e" | "escape" => html::escape,
        "first" => lists::first,
        "float" => numbers::float,
        "forceescape" => html::force_escape,
        "groupby" => lists::groupby,
        "indent" => text::indent,
        "int" => numbers::int,
        "join" => lists::join,
        "last" => lists::last,
        "length" => lists::length,
        "list" => lists::list,
        "lower" => text::lower_filter,
        "nl2br" => html::nl2br,
        "parseEntityRef" => backstage::parse_entity_ref,
        "parseRepoUrl" => backstage::parse_repo_url,
        "pick" => backstage::pick,
        "projectSlug" => backstage::project_slug,
        "random" => lists::random,
        "reject" => lists::reject,
        "rejectattr" => lists::rejectattr,
        "replace" => text::replace,
        "reverse" => lists::reverse,
        "round" => numbers::round,
        "safe" => html::safe,
        "select" => lists::select,
        "selectattr" => lists::selectattr,
        "slice" => lists::slice,
        "sort" => lists::sort,
        "string" => text::string_filter,
        "striptags" => html::striptags,
        "sum" => numbers::sum,
        "title" => text::title,
        "trim" => text::trim,
        "truncate" => text::truncate,
        "upper" => text::upper_filter,
        "urlencode" => html::urlencode,
        "urlize" => html::urlize,
        "wordcount" => text::wordcount,
        _ => return None,
    })
}

impl Given<'_> {
    fn get(&self, at: usize) -> &Value {
        self.values.get(at).unwrap_or(&Value::Undefined)
    }

    fn budget(&self) -> &Budget {
        self.cx.budget
    }

    fn number(&self, at: usize) -> Result<f64, Fault> {
        to_number(self.get(at), self.budget())
    }

    fn text(&self, at: usize) -> Result<Text, Fault> {
        to_text(self.get(at), self.budget())
    }

    /// The argument by its name, or else by its place: for the filters that know names.
    fn named(&self, at: usize, name: &str) -> Value {
        let keywords = match self.values.last() {
            Some(Value::Object(members)) if members.contains_key(&*units(KEYWORDS)) => Some(members),
            _ => None,
        };
        let count = self.values.len() - usize::from(keywords.is_some());
        let by_name = keywords.and_then(|members| members.get(&*units(name)).cloned());
        match by_name {
            Some(value) => value,
            None if at < count => self.values[at].clone(),
            None => Value::Undefined,
        }
    }

    fn fail(&self, value: &Value, needs: &str) -> Fault {
        Fault::evaluation(format!(
            "the filter \"{}\" needs {needs}, and this is {}",
            self.name,
            value.type_name()
        ))
    }

    /// The units of a text; nothing for null, undefined and false, as Nunjucks normalises them.
    fn normalized(&self, value: &Value) -> Result<Text, Fault> {
        match value {
            Value::Undefined | Value::Null | Value::Bool(false) => Ok(units("")),
            _ => self.units(value),
        }
    }

    fn units(&self, value: &Value) -> Result<Text, Fault> {
        let text = value.as_units().ok_or_else(|| self.fail(value, "a text"))?;
        self.budget().spend(text.len() / 64)?;
        Ok(text.clone())
    }
}

/// A text made from another one: safe if that one was.
fn like(original: &Value, text: Text) -> Value {
    match original {
        Value::Safe(_) => Value::Safe(text),
        _ => Value::Text(text),
    }
}

fn default(value: Value, given: &Given<'_>) -> Outcome {
    let missing = if given.get(1).is_true() {
        !value.is_true()
    } else {
        matches!(value, Value::Undefined)
    };
    Ok(if missing { given.get(0).clone() } else { value })
}

fn dump(value: Value, given: &Given<'_>) -> Outcome {
    let indent = match given.get(0) {
        Value::Number(count) => " ".repeat(count.clamp(0.0, 10.0) as usize),
        Value::Text(text) => string(&text[..text.len().min(10)]),
        _ => String::new(),
    };
    let text = super::json::stringify(&value, &indent, given.budget())?;
    Ok(text.map_or(Value::Undefined, |text| Value::text(&text)))
}
