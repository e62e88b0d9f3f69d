//! Settings, pull requests, issues, secrets and variables.

use portico::scm::{
    Collaboration, NewFile, NewHook, NewIssue, NewPullRequest, PullRequestState, Repository, RepositorySettings, Scm,
    ScmError, Source,
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{Target, api_path, write};
use crate::support::eventually;

fn of(forge: &dyn Scm) -> &dyn Collaboration {
    forge.collaboration().expect("Forgejo and Gitea offer it")
}

async fn settings_are_changed_and_others_stay(target: &Target) {
    let forge = target.forge();
    let repository = target.create("settings").await;
    let settings = RepositorySettings {
        description: Some("Another".to_owned()),
        private: Some(true),
        has_wiki: Some(false),
        ..RepositorySettings::default()
    };
    for _ in 0..2 {
        of(&*forge)
            .update_repository(&repository, &settings)
            .await
            .expect("the account may");
    }
    let api = target.systems.forge_api();
    let (_, found) = api.get(&api_path(&repository)).await;
    assert_eq!(
        [
            &found["description"],
            &found["private"],
            &found["has_wiki"],
            &found["has_pull_requests"],
            &found["archived"]
        ],
        [
            &json!("Another"),
            &json!(true),
            &json!(false),
            &json!(true),
            &json!(false)
        ],
        "{found}"
    );
    let archive = |archived| RepositorySettings {
        archived: Some(archived),
        ..RepositorySettings::default()
    };
    of(&*forge)
        .update_repository(&repository, &archive(true))
        .await
        .expect("the account may");
    let (_, found) = api.get(&api_path(&repository)).await;
    assert_eq!(found["archived"], true, "{found}");
    of(&*forge)
        .update_repository(&repository, &archive(false))
        .await
        .expect("and back");
    let missing = Repository {
        name: "none-of-these".to_owned(),
        ..repository.clone()
    };
    let refused = of(&*forge).update_repository(&missing, &settings).await;
    assert!(matches!(refused, Err(ScmError::NotFound { .. })), "{refused:?}");

    of(&*forge)
        .delete_repository(&repository)
        .await
        .expect("the account may");
    let refused = of(&*forge).delete_repository(&repository).await;
    assert!(matches!(refused, Err(ScmError::NotFound { .. })), "{refused:?}");
}

async fn a_pull_request_is_opened_once_and_followed(target: &Target) {
    let forge = target.forge();
    let repository = target.create("proposal").await;
    target
        .push(&repository, "main", |folder| write(folder, "a", b"main"))
        .await;
    let api = target.systems.forge_api();
    let path = api_path(&repository);
    let propose = async |content: &str| {
        let file = NewFile {
            path: "docs/x",
            content,
            branch: "feature/topic",
            base: "main",
            message: "Add x",
        };
        of(&*forge)
            .propose_file(&repository, &file)
            .await
            .expect("the account may")
    };
    let commits = async || {
        let branch = Source {
            repository: repository.clone(),
            reference: Some("feature/topic".to_owned()),
            path: String::new(),
        };
        forge.list_commits(&branch, 10).await.expect("the forge answers").len()
    };
    propose("x").await;
    propose("x").await;
    assert_eq!(commits().await, 2, "the same is proposed once");
    propose("y\n").await;
    assert_eq!(commits().await, 3);
    let nowhere = NewFile {
        path: "x",
        content: "x",
        branch: "other",
        base: "none",
        message: "Add x",
    };
    let refused = of(&*forge).propose_file(&repository, &nowhere).await;
    assert!(matches!(refused, Err(ScmError::NotFound { .. })), "{refused:?}");
    let new = NewPullRequest {
        head: "feature/topic".to_owned(),
        base: "main".to_owned(),
        title: "Add x".to_owned(),
        body: "It lacks x.".to_owned(),
        draft: false,
    };
    let find = async || of(&*forge).find_pull_request(&repository, &new.head, &new.base).await;
    assert_eq!(find().await.expect("the forge answers"), None);
    let pull = of(&*forge)
        .open_pull_request(&repository, &new)
        .await
        .expect("the account may");
    assert_eq!(pull.state, PullRequestState::Open);
    assert!(
        pull.url.starts_with(&target.systems.forge.url) || pull.url.starts_with(&target.base_url),
        "{}",
        pull.url
    );
    assert_eq!(find().await.expect("the forge answers"), Some(pull.clone()));
    let again = of(&*forge).open_pull_request(&repository, &new).await;
    assert!(matches!(again, Err(ScmError::Conflict { .. })), "{again:?}");

    let show = async || {
        of(&*forge)
            .pull_request(&repository, pull.number)
            .await
            .expect("it is there")
            .state
    };
    assert_eq!(show().await, PullRequestState::Open);
    let pull_path = format!("{path}/pulls/{}", pull.number);
    eventually("it is found to be mergeable", || async {
        (api.get(&pull_path).await.1["mergeable"] == true).then_some(())
    })
    .await;
    let (status, merged) = api.post(&format!("{pull_path}/merge"), &json!({"Do": "merge"})).await;
    assert_eq!(status, StatusCode::OK, "{merged}");
    assert_eq!(show().await, PullRequestState::Merged);
    assert_eq!(
        find().await.expect("the forge answers"),
        None,
        "it is not open any more"
    );
    let nobody = of(&*forge).pull_request(&repository, 4711).await;
    assert!(matches!(nobody, Err(ScmError::NotFound { .. })), "{nobody:?}");
}

async fn an_issue_is_found_by_its_mark(target: &Target) {
    let forge = target.forge();
    let repository = target.create("issue").await;
    let before = portico::clock::Clock::system().now();
    let mark = "<!-- portico 1 -->";
    let find = async || {
        of(&*forge)
            .find_issue(&repository, mark, before)
            .await
            .expect("the forge answers")
    };
    assert_eq!(find().await, None);
    let body = format!("Text\n\n{mark}\n");
    let assignees = [target.username.clone()];
    let new = NewIssue {
        title: "Look at this",
        body: &body,
        assignees: &assignees,
    };
    let issue = of(&*forge)
        .create_issue(&repository, &new)
        .await
        .expect("the account may");
    assert!(
        issue.url.ends_with(&format!("/issues/{}", issue.number)),
        "{}",
        issue.url
    );
    assert_eq!(find().await, Some(issue));
}

async fn secrets_and_variables_are_set_and_set_again(target: &Target) {
    let forge = target.forge();
    let repository = target.create("automation").await;
    for value in ["first", "second"] {
        of(&*forge)
            .set_secret(&repository, "TOKEN", value)
            .await
            .expect("the account may");
        of(&*forge)
            .set_variable(&repository, "STAGE", value)
            .await
            .expect("the account may");
    }
    let api = target.systems.forge_api();
    let (_, variable) = api
        .get(&format!("{}/actions/variables/STAGE", api_path(&repository)))
        .await;
    assert_eq!(variable["data"], "second", "{variable}");
    let refused = of(&*forge).set_secret(&repository, "1-no", "x").await;
    assert!(matches!(refused, Err(ScmError::Denied { .. })), "{refused:?}");
}

async fn a_hook_is_as_it_was_wanted(target: &Target) {
    let forge = target.forge();
    let repository = target.create("wanted").await;
    for active in [true, false] {
        let hook = NewHook {
            url: "http://127.0.0.1:9/ci",
            secret: "s3cret",
            events: &["pull_request"],
            content_type: "form",
            active,
        };
        of(&*forge)
            .ensure_hook(&repository, &hook)
            .await
            .expect("the account may");
    }
    let (_, hooks) = target
        .systems
        .forge_api()
        .get(&format!("{}/hooks", api_path(&repository)))
        .await;
    let hooks: Vec<&Value> = hooks.as_array().expect("a list").iter().collect();
    assert_eq!(hooks.len(), 1, "{hooks:?}");
    assert_eq!(
        (&hooks[0]["active"], &hooks[0]["config"]["content_type"]),
        (&json!(false), &json!("form"))
    );
    assert!(
        hooks[0]["events"]
            .as_array()
            .is_some_and(|events| events.contains(&json!("pull_request"))),
        "{hooks:?}"
    );
}

/// All of it, as part of what goes through the port.
pub async fn what_people_do_with_it(target: &Target) {
    settings_are_changed_and_others_stay(target).await;
    a_pull_request_is_opened_once_and_followed(target).await;
    an_issue_is_found_by_its_mark(target).await;
    secrets_and_variables_are_set_and_set_again(target).await;
    a_hook_is_as_it_was_wanted(target).await;
}
