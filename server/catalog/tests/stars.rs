//! Stars: a form beside each entity, a tab of the list, and what stays of them.

use super::http::filled;
use super::*;
use crate::web::testing;

const ALPHA: &str = "/catalog/default/component/alpha";

/// Names that the tab of starred entities lists.
async fn listed(client: &super::http::Client) -> Vec<&'static str> {
    let page = client.get("/catalog?kind=all&starred=1").await.text;
    let rows = page.split("id=\"rows\"").nth(1).unwrap_or_default();
    // The owner of each is a link too.
    ["Zulu", "Beta", "gamma"]
        .into_iter()
        .filter(|title| rows.contains(&format!(">{title}</a>")))
        .collect()
}

#[sqlx::test]
async fn a_star_belongs_to_one_person_and_is_taken_back(db: PgPool) {
    let (client, _) = filled(&db).await;
    assert_eq!(listed(&client).await, [""; 0]);
    for _ in 0..2 {
        let answer = client
            .form(&format!("{ALPHA}/star"), &format!("on=true&next={ALPHA}"))
            .await;
        assert_eq!(answer.status, 303);
        assert_eq!(answer.headers["location"], ALPHA);
    }
    assert_eq!(listed(&client).await, ["Zulu"]);
    let page = client.get(ALPHA).await.text;
    assert!(
        page.contains("aria-pressed=\"true\" aria-label=\"Star Zulu\""),
        "{page}"
    );

    let other = super::http::Client {
        catalog: client.catalog.clone(),
        caller: Some(testing::user("user2", &["guests"])),
    };
    assert_eq!(listed(&other).await, [""; 0]);
    let nobody = super::http::Client {
        catalog: client.catalog.clone(),
        caller: None,
    };
    let refused = nobody.form(&format!("{ALPHA}/star"), "on=true").await;
    assert!(refused.headers["location"].to_str().unwrap().starts_with("/login?"));

    client.form(&format!("{ALPHA}/star"), "on=false").await;
    assert_eq!(listed(&client).await, [""; 0]);
}

#[sqlx::test]
async fn what_is_not_there_and_where_not_to_go_is_refused(db: PgPool) {
    let (client, _) = filled(&db).await;
    let missing = client.form("/catalog/default/component/none/star", "on=true").await;
    assert_eq!(missing.status, 404);
    let nonsense = client.form(&format!("{ALPHA}/star"), "on=%22%3E%3Cscript%3E").await;
    assert_eq!(nonsense.status, 422);
    let away = client
        .form(&format!("{ALPHA}/star"), "on=true&next=https://evil.test/")
        .await;
    assert_eq!(away.headers["location"], "/");
}

#[sqlx::test]
async fn a_star_is_kept_while_the_entity_is_away(db: PgPool) {
    let (client, forge) = filled(&db).await;
    client.form(&format!("{ALPHA}/star"), "on=true").await;
    let refresh = || async {
        let repository = MemoryForge::repository("team/all");
        client.catalog.refresh_repository(&repository).await.unwrap();
    };
    forge.write("team/all", "entities.yaml", &component("other", ""));
    refresh().await;
    assert_eq!(listed(&client).await, [""; 0]);
    assert_eq!(
        client.catalog.starred("user:default/user1").await.unwrap(),
        ["component:default/alpha"]
    );
    forge.write("team/all", "entities.yaml", &component("alpha", "  title: Zulu\n"));
    refresh().await;
    assert_eq!(listed(&client).await, ["Zulu"]);
}

#[sqlx::test]
async fn nobody_has_more_stars_than_a_page_can_bear(db: PgPool) {
    let now = Clock::system().now();
    for (name, limit, expected) in [("a", 2, true), ("b", 2, true), ("a", 2, true), ("c", 2, false)] {
        let reference = format!("component:default/{name}");
        let starred = queries::stars::insert(&db, "user:default/user1", &reference, now, limit).await;
        assert_eq!(starred.unwrap(), expected, "{name}");
    }
}
