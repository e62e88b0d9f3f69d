//! PostgreSQL: connection, version, migrations, rights.

use super::{Finding, Probe, todo};
use crate::config::Config;
use crate::db::{self, DbError, Examined};

/// As PostgreSQL counts versions.
const OLDEST: u32 = 150_000;

pub(super) fn probes(config: &Config) -> Vec<Probe<'_>> {
    let options = match db::options(&config.backend.database.connection) {
        Ok(options) => options,
        Err(error) => {
            let work = async move {
                let todo = "correct backend.database.connection";
                vec![Finding::broken("PostgreSQL", "connect", error.to_string(), todo)]
            };
            return vec![Probe::new("PostgreSQL", "connect", work)];
        }
    };
    let system = db::address(&options);
    let ensure = config.backend.database.ensure_exists;
    vec![Probe::new(system.clone(), "connect", async move {
        match db::examine(&options).await {
            Ok(Some(examined)) => findings(&system, &examined),
            Ok(None) if ensure => vec![Finding::note(
                &system,
                "connect",
                "there is no such database yet",
                "nothing: portico serve and portico migrate make it",
            )],
            Ok(None) => vec![Finding::broken(
                &system,
                "connect",
                "there is no such database",
                "make it, or set backend.database.ensureExists to true",
            )],
            Err(error) => vec![unreachable(&system, &error)],
        }
    })]
}

fn unreachable(system: &str, error: &DbError) -> Finding {
    let reason = match error {
        DbError::Unreachable { reason, .. } => reason.to_string(),
        other => other.to_string(),
    };
    let todo = match error {
        DbError::Migration(_) => "let the user read the table _sqlx_migrations".to_owned(),
        _ if reason.contains("authentication") || reason.contains("role") => {
            "correct user and password in backend.database.connection".to_owned()
        }
        _ => todo(
            &reason,
            "backend.database.connection.ssl.ca",
            "check host and port in backend.database.connection, and that PostgreSQL runs",
        ),
    };
    Finding::broken(system, "connect", reason, todo)
}

fn findings(system: &str, examined: &Examined) -> Vec<Finding> {
    let version = format!("version {}.{}", examined.version / 10_000, examined.version % 10_000);
    let mut found = vec![if examined.version < OLDEST {
        Finding::broken(system, "connect", version, "bring PostgreSQL to version 15 or newer")
    } else {
        Finding::ok(system, "connect", version)
    }];
    found.push(migrations(system, examined));
    found.push(match (examined.may_create, examined.closed_tables.as_slice()) {
        (true, []) => Finding::ok(system, "rights", "the user may make, read and write tables"),
        (false, _) => Finding::broken(
            system,
            "rights",
            "the user may not make tables",
            "grant create on schema public to the user, or make it the owner of the database",
        ),
        (true, tables) => Finding::broken(
            system,
            "rights",
            format!("the user may not read and write {}", tables.join(", ")),
            "make the user the owner of these tables",
        ),
    });
    found
}

fn migrations(system: &str, examined: &Examined) -> Finding {
    const TRIED: &str = "migrations";
    let list = |versions: &[i64]| {
        let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
        versions.join(", ")
    };
    if !examined.unknown.is_empty() {
        return Finding::broken(
            system,
            TRIED,
            format!(
                "it was used by a newer version of the portal ({})",
                list(&examined.unknown)
            ),
            "run that version or a newer one, or restore a backup of this version",
        );
    }
    if !examined.changed.is_empty() {
        return Finding::broken(
            system,
            TRIED,
            format!("it was changed by another build ({})", list(&examined.changed)),
            "run the build that made it, or restore a backup into an empty database",
        );
    }
    match examined.missing.len() {
        0 => Finding::ok(system, TRIED, "it is at this version"),
        missing => Finding::note(
            system,
            TRIED,
            format!("it is {missing} migrations behind this version"),
            "nothing: portico serve and portico migrate bring it to this version; make a backup first",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    #[test]
    fn what_is_wrong_with_a_database_is_told() {
        let good = Examined {
            version: 160_002,
            missing: Vec::new(),
            unknown: Vec::new(),
            changed: Vec::new(),
            may_create: true,
            closed_tables: Vec::new(),
        };
        let with = |change: fn(&mut Examined)| {
            let mut examined = good.clone();
            change(&mut examined);
            examined
        };
        for (examined, outcome, text) in [
            (good.clone(), Outcome::Ok, "version 16.2"),
            (with(|it| it.version = 140_009), Outcome::Broken, "version 14.9"),
            (with(|it| it.missing = vec![1, 2]), Outcome::Note, "2 migrations behind"),
            (
                with(|it| it.unknown = vec![7]),
                Outcome::Broken,
                "newer version of the portal (7)",
            ),
            (with(|it| it.changed = vec![7]), Outcome::Broken, "another build (7)"),
            (with(|it| it.may_create = false), Outcome::Broken, "may not make tables"),
            (
                with(|it| it.closed_tables = vec!["tasks".into()]),
                Outcome::Broken,
                "read and write tasks",
            ),
        ] {
            let found = findings("db", &examined);
            let worst = found.iter().find(|finding| finding.outcome != Outcome::Ok);
            let told = worst.unwrap_or(&found[0]);
            assert_eq!(told.outcome, outcome, "{text}");
            assert!(told.answer.contains(text), "{told:?}");
            assert_eq!(told.todo.is_some(), outcome != Outcome::Ok);
        }
    }
}
