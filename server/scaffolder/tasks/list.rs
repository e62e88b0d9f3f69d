//! `/create/tasks`: the list of tasks. All of its filters are in its address.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use crate::catalog::EntityRef;
use crate::language::{Text, filters, text};
use crate::scaffolder::Scaffolder;
use crate::scaffolder::model::{Task, TaskStatus};
use crate::scaffolder::queries::{self, Order, TaskFilter};
use crate::web::{Error, Query, Shell, SignedIn, page};

const PAGE: i64 = 30;
/// Longer texts find nothing.
const TEXT_LIMIT: usize = 200;

#[derive(askama::Template)]
#[template(path = "scaffolder/tasks.html")]
struct TasksPage {
    shell: Shell,
    tasks: Vec<Task>,
    total: i64,
    tabs: Vec<Tab>,
    asked: Asked,
    /// Ref and name of each template that there are tasks of.
    templates: Vec<(String, String)>,
    /// The same of people; only administrators choose.
    people: Vec<(String, String)>,
    /// Questions that wait for the reader.
    approvals: usize,
    number: i64,
    pages: i64,
    /// Address of this page of the list, and where its news comes from.
    here: String,
    live: &'static str,
}

struct Tab {
    href: String,
    label: Text,
    current: bool,
}

impl TasksPage {
    fn link(&self, number: i64) -> String {
        self.asked.address(number)
    }
}

/// What the list is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Asked {
    /// Word of the status that is shown only; empty for all.
    status: &'static str,
    /// All people's tasks; administrators see them.
    everybody: bool,
    /// Refs, and a part of the name; empty for all.
    template: String,
    user: String,
    text: String,
}

impl Asked {
    fn of(query: ListQuery, is_admin: bool) -> Self {
        let text = |given: Option<String>| -> String {
            given
                .unwrap_or_default()
                .trim()
                .replace('\0', "")
                .chars()
                .take(TEXT_LIMIT)
                .collect()
        };
        let status = query.status.as_deref().and_then(TaskStatus::from_word);
        let everybody = is_admin && query.of.as_deref() == Some("everybody");
        Self {
            status: status.map_or("", TaskStatus::as_str),
            everybody,
            template: text(query.template),
            user: if everybody { text(query.user) } else { String::new() },
            text: text(query.text),
        }
    }

    fn address(&self, number: i64) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let number = number.to_string();
        let everybody = if self.everybody { "everybody" } else { "" };
        let pairs = [
            ("status", self.status),
            ("of", everybody),
            ("template", &self.template),
            ("user", &self.user),
            ("text", &self.text),
            ("page", if number == "1" { "" } else { &number }),
        ];
        query.extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty()));
        match query.finish() {
            query if query.is_empty() => "/create/tasks".to_owned(),
            query => format!("/create/tasks?{query}"),
        }
    }

    fn is_narrowed(&self) -> bool {
        !(self.status.is_empty() && self.template.is_empty() && self.user.is_empty() && self.text.is_empty())
    }
}

#[derive(Deserialize)]
pub struct ListQuery {
    status: Option<String>,
    of: Option<String>,
    template: Option<String>,
    user: Option<String>,
    text: Option<String>,
    page: Option<i64>,
}

pub async fn show(
    State(scaffolder): State<Scaffolder>,
    shell: Shell,
    SignedIn(caller): SignedIn,
    Query(query): Query<ListQuery>,
) -> Result<Response, Error> {
    let number = query.page.unwrap_or(1).clamp(1, 1_000_000);
    let asked = Asked::of(query, caller.is_admin());
    let own = caller.actor();
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let (status, waiting) = match TaskStatus::from_word(asked.status) {
        Some(TaskStatus::Open) => (vec![TaskStatus::Open, TaskStatus::Processing], Some(true)),
        Some(TaskStatus::Processing) => (vec![TaskStatus::Processing], Some(false)),
        status => (status.into_iter().collect(), None),
    };
    let filter = TaskFilter {
        created_by: match (asked.everybody, some(&asked.user)) {
            (true, user) => user.into_iter().collect(),
            (false, _) => vec![own.clone()],
        },
        status,
        waiting,
        template: some(&asked.template),
        text: some(&asked.text),
        order: Order::NewestFirst,
        limit: PAGE,
        offset: (number - 1) * PAGE,
    };
    let ((tasks, total), (templates, people), approvals) = tokio::try_join!(
        queries::list_tasks(scaffolder.db(), &filter),
        queries::list_choices(scaffolder.db(), (!asked.everybody).then_some(own.as_str())),
        scaffolder.count_approvals(&caller)
    )?;
    let runs = tasks.iter().any(|task| !task.status.is_final());
    page(
        shell.locale,
        &TasksPage {
            here: asked.address(number),
            live: if runs {
                "/create/tasks/live?now"
            } else {
                "/create/tasks/live"
            },
            shell,
            tasks,
            total,
            tabs: tabs(&asked, caller.is_admin()),
            templates: named(templates),
            people: if asked.everybody { named(people) } else { Vec::new() },
            approvals,
            asked,
            number,
            pages: (total + PAGE - 1) / PAGE,
        },
    )
}

/// The states, and whose tasks.
fn tabs(asked: &Asked, is_admin: bool) -> Vec<Tab> {
    let labels = [
        ("", text!("All")),
        ("open", text!("Waiting")),
        ("processing", text!("Running")),
        ("completed", text!("Done")),
        ("failed", text!("Failed")),
        ("cancelled", text!("Cancelled")),
    ];
    let states = labels.into_iter().map(|(status, label)| Tab {
        href: Asked {
            status,
            ..asked.clone()
        }
        .address(1),
        label,
        current: status == asked.status,
    });
    let all = is_admin.then(|| Tab {
        href: Asked {
            everybody: !asked.everybody,
            user: String::new(),
            ..asked.clone()
        }
        .address(1),
        label: text!("Everybody's"),
        current: asked.everybody,
    });
    states.chain(all).collect()
}

/// Refs with the names that they are chosen by.
fn named(refs: Vec<String>) -> Vec<(String, String)> {
    let name = |text: &str| match EntityRef::parse(text, None, None) {
        Ok(entity_ref) if entity_ref.namespace == "default" => entity_ref.name,
        _ => text.to_owned(),
    };
    refs.into_iter().map(|text| (text.clone(), name(&text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(everybody: bool) -> ListQuery {
        ListQuery {
            status: Some("failed".to_owned()),
            of: everybody.then(|| "everybody".to_owned()),
            template: Some("template:default/basic".to_owned()),
            user: Some("user:default/user2".to_owned()),
            text: Some(" a&b ".to_owned()),
            page: None,
        }
    }

    #[test]
    fn every_filter_is_in_the_address() {
        assert_eq!(
            Asked::of(query(true), true).address(3),
            "/create/tasks?status=failed&of=everybody&template=template%3Adefault%2Fbasic&user=user%3Adefault%2Fuser2&text=a%26b&page=3"
        );
        assert_eq!(Asked::default().address(1), "/create/tasks");
    }

    #[test]
    fn only_administrators_look_for_others() {
        let asked = Asked::of(query(true), false);
        assert!(!asked.everybody && asked.user.is_empty());
    }
}
