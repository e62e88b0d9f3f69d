//! What the pages show beyond the list: relations as a picture, sources, files, search.

use super::http::{Client, filled};
use super::*;
use crate::web::testing;

const ALPHA: &str = "/catalog/default/component/alpha";

#[sqlx::test]
async fn relations_are_drawn_and_told(db: PgPool) {
    let (client, _) = filled(&db).await;
    let page = client.get(&format!("{ALPHA}/relations")).await;
    assert_eq!(page.status, 200, "{}", page.text);
    for expected in [
        "<svg width=",
        "role=\"group\"",
        "><a href=\"/catalog/default/group/guests\"><rect",
        "<a href=\"/catalog/default/component/alpha\" aria-current=\"true\"><rect",
        // Named, but not in the catalog.
        "<g class=\"gone\">",
        "3 relations as a table",
        // What another feature says of it stands on its box.
        "<b>5</b></foreignObject>",
        "aria-current=\"page\">Relations</a>",
    ] {
        assert!(page.text.contains(expected), "{expected}: {}", page.text);
    }
    assert!(!page.text.contains("<a href=\"/catalog/default/component/gamma\"><rect"));
    // Other features' tabs stand on the pages of entities that have them.
    let tab = format!("<a href=\"{ALPHA}/length\">A &#38; B</a>");
    assert!(page.text.contains(&tab), "{}", page.text);
    let beta = client.get("/catalog/default/component/beta").await.text;
    assert!(
        beta.contains("aria-current=\"page\">Overview</a>") && !beta.contains("/length"),
        "{beta}"
    );
    // From the owner on to what else it owns.
    let deeper = client.get(&format!("{ALPHA}/relations?depth=2")).await.text;
    assert!(
        deeper.contains("<a href=\"/catalog/default/component/gamma\"><rect"),
        "{deeper}"
    );
    let out = client
        .get(&format!(
            "{ALPHA}/relations?depth=3&direction=out&relation=ownedBy&kind=group"
        ))
        .await
        .text;
    assert!(
        out.contains("1 relation as a table") && out.contains("value=\"group\" checked"),
        "{out}"
    );
    let none = client.get(&format!("{ALPHA}/relations?kind=user")).await.text;
    assert!(none.contains("Nothing of this is related to it"), "{none}");
    assert_eq!(
        client.get("/catalog/default/component/none/relations").await.status,
        404
    );
    let nobody = Client {
        catalog: client.catalog.clone(),
        caller: None,
    };
    assert_eq!(nobody.get(&format!("{ALPHA}/relations")).await.status, 303);
}

#[sqlx::test]
async fn cycles_and_thousands_of_children_fit_on_a_page(db: PgPool) {
    let forge = MemoryForge::default();
    let mut file =
        String::from("apiVersion: backstage.io/v1alpha1\nkind: System\nmetadata: {name: hub}\nspec: {owner: guests}\n");
    for index in 0..5_000 {
        let other = (index + 1) % 3;
        file += &format!(
            "---\napiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {{name: part-{index}}}\n\
             spec: {{type: service, lifecycle: production, owner: guests, system: hub, dependsOn: [\"component:part-{other}\"]}}\n"
        );
    }
    forge.write("team/all", "all.yaml", &file);
    let catalog = catalog(&db, &forge);
    register(&catalog, &url("team/all", "all.yaml")).await;
    let caller = Some(testing::user("user1", &["guests"]));
    let client = Client { catalog, caller };
    let hub = "/catalog/default/system/hub";
    let page = client.get(&format!("{hub}/relations?depth=3")).await;
    assert_eq!(page.status, 200);
    assert!(page.text.matches("<rect").count() <= 300);
    assert!(page.text.contains("hub, Has part: 4,9"), "{}", page.text);
    assert!(
        page.text
            .contains("href=\"/catalog?kind=all&#38;system=system%3Adefault%2Fhub\""),
        "{}",
        page.text
    );
    // The overview names some, and the list has all.
    let overview = client.get(hub).await.text;
    assert!(overview.contains("and 4,950 more"), "{overview}");
    assert!(
        overview.contains("id=\"part-hasPart\"") && overview.contains("and 4,975 more"),
        "{overview}"
    );
    assert!(overview.contains("id=\"part-picture\"") && overview.matches("<rect").count() <= 300);
    let list = client.get("/catalog?kind=all&system=hub").await.text;
    assert!(
        list.contains("5,000 entities") && list.contains("System: hub"),
        "{list}"
    );
    let related = client
        .get("/catalog?kind=all&related=dependsOn:component:default/part-0")
        .await
        .text;
    assert!(related.contains("Depends on: component:part-0"), "{related}");
    let lines = client.get("/catalog/export.csv?kind=all&system=hub").await.text;
    assert_eq!(lines.lines().count(), 5_001);
}

#[sqlx::test]
async fn a_group_shows_what_it_owns_and_a_reader_finds_again_what_was_seen(db: PgPool) {
    let (client, _) = filled(&db).await;
    let catalog = client.catalog.clone();
    let page = client.get("/catalog/default/group/guests").await;
    assert_eq!(page.status, 200, "{}", page.text);
    for expected in [
        "id=\"part-ownerOf\"",
        "href=\"/catalog?kind=component&#38;owner=group%3Adefault%2Fguests\"",
        "title=\"Zulu\"",
        // The columns of other features are there, and the owner, which all share, is not.
        "<b>5</b>",
    ] {
        assert!(page.text.contains(expected), "{expected}: {}", page.text);
    }
    client.get(ALPHA).await;
    let caller = client.caller.clone().expect("somebody");
    let mut seen = Vec::new();
    while seen.len() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        seen = catalog.seen(&caller.actor()).await.unwrap();
    }
    assert!(seen.contains(&"component:default/alpha".to_owned()), "{seen:?}");
    assert!(catalog.seen("user:default/other").await.unwrap().is_empty());
    for number in 0..30 {
        let entity = format!("component:default/c{number}");
        let at = chrono::DateTime::from_timestamp(4_000_000_000 + number, 0).unwrap();
        crate::catalog::queries::seen::upsert(&db, &caller.actor(), &entity, at, 20)
            .await
            .unwrap();
    }
    let seen = catalog.seen(&caller.actor()).await.unwrap();
    assert_eq!((seen.len(), seen[0].as_str()), (20, "component:default/c29"));
}

#[sqlx::test]
async fn the_list_forgives_a_letter_where_nothing_matches(db: PgPool) {
    let (client, _) = filled(&db).await;
    for (text, found, forgiven) in [("alpha", true, false), ("alhpa", true, true), ("qqqqqq", false, false)] {
        let list = client.get(&format!("/catalog?text={text}")).await.text;
        assert_eq!(list.contains(&format!("href=\"{ALPHA}\"")), found, "{text}: {list}");
        assert_eq!(list.contains("This is similar:"), forgiven, "{text}: {list}");
    }
    // Other filters still hold.
    let list = client.get("/catalog?kind=api&text=alhpa").await.text;
    assert!(!list.contains(&format!("href=\"{ALPHA}\"")), "{list}");
}

#[sqlx::test]
async fn sources_are_shown_and_taken_away(db: PgPool) {
    let (client, _) = filled(&db).await;
    let page = client.get(&format!("{ALPHA}/source")).await;
    assert_eq!(page.status, 200, "{}", page.text);
    for expected in [
        "kind: Component\n",
        "href=\"https://forge.test/team/all/src/branch/main/entities.yaml\"",
        "description: &#34;&#60;script&#62;",
        "<code>etag</code>",
        "source.yaml\" download",
    ] {
        let quoted = expected.replace("&#34;", "");
        assert!(
            page.text.contains(expected) || page.text.contains(&quoted),
            "{expected}: {}",
            page.text
        );
    }
    assert!(!page.text.contains("<script>alert"));
    let json = client.get(&format!("{ALPHA}/source?format=json")).await.text;
    assert!(json.contains("&#34;kind&#34;: &#34;Component&#34;"), "{json}");
    let file = client.get(&format!("{ALPHA}/source.yaml")).await;
    assert_eq!(
        file.headers["content-disposition"],
        "attachment; filename=\"alpha.yaml\""
    );
    let read = yaml_documents(&file.text)[0].value.clone().unwrap();
    let stored = client
        .catalog
        .get(&EntityRef::new("component", "default", "alpha"))
        .await
        .unwrap();
    assert_eq!(read, stored.body);
    let file = client.get(&format!("{ALPHA}/source.json")).await;
    assert_eq!(file.json(), stored.body);
    assert_eq!(
        client.get("/catalog/default/component/none/source.yaml").await.status,
        404
    );
}

#[sqlx::test]
async fn lists_are_filtered_further_and_taken_away_as_files(db: PgPool) {
    let (client, forge) = filled(&db).await;
    let list = client.get("/catalog?system=shop").await.text;
    let rows = list.split("id=\"rows\"").nth(1).unwrap();
    assert!(rows.contains(">Zulu</a>") && !rows.contains(">Beta</a>"), "{list}");
    let all = client.get("/catalog").await.text;
    for expected in [
        "tag=java",
        "system=system%3Adefault%2Fshop",
        "export.csv",
        "export.json",
    ] {
        assert!(all.contains(expected), "{expected}: {all}");
    }
    forge.write(
        "team/more",
        "c.yaml",
        &component("computes", "  description: \"=HYPERLINK(1)\"\n  title: '-1+1, \"x\"'\n"),
    );
    register(&client.catalog, &url("team/more", "c.yaml")).await;
    let csv = client
        .get("/catalog/export.csv?columns=tags&columns=owner&sort=name")
        .await;
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    let lines: Vec<&str> = csv.text.split("\r\n").collect();
    assert_eq!(lines[0], "ref,name,title,description,owner,tags");
    assert!(
        lines.contains(
            &"component:default/computes,computes,\"'-1+1, \"\"x\"\"\",\"'=HYPERLINK(1)\",group:default/guests,"
        ),
        "{lines:?}"
    );
    assert!(
        csv.text.contains(
            "component:default/alpha,alpha,Zulu,<script>alert(1)</script>,group:default/guests,java rust\r\n"
        )
    );
    let live = client.get("/catalog/export.csv?tag=java&columns=length").await.text;
    assert!(live.ends_with(",5\r\n"), "{live}");
    let one = client.get("/catalog/export.csv?tag=java").await.text;
    assert_eq!(one.lines().count(), 2, "{one}");
    let json = client.get("/catalog/export.json?kind=all&owner=me").await.json();
    let names: Vec<&str> = json
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["computes", "gamma", "alpha"], "as the list is sorted");
    assert_eq!(
        client.get("/catalog/export.json?tag=nothing").await.json(),
        serde_json::json!([])
    );
}

#[sqlx::test]
async fn columns_are_chosen_and_kept(db: PgPool) {
    let (client, _) = filled(&db).await;
    let chosen = client.get("/catalog?columns=name&columns=tags&keep=1").await;
    assert!(
        chosen.text.contains("data-l=\"Tags\"") && !chosen.text.contains("data-l=\"Owner\""),
        "{}",
        chosen.text
    );
    let cookie = chosen.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("portico-catalog-columns=name.tags;"), "{cookie}");
    // Links of the page keep the columns, but not the wish to keep them.
    assert!(chosen.text.contains("columns=tags") && !chosen.text.contains("keep=1&"));
    let once = client.get("/catalog?columns=name").await;
    assert!(!once.headers.contains_key("set-cookie") && !once.text.contains("data-l=\"Owner\""));
}

#[sqlx::test]
async fn search_ranks_and_forgives_one_letter(db: PgPool) {
    let (client, forge) = filled(&db).await;
    let file = [
        component("payment", ""),
        component("payment-gateway", ""),
        component("old-payment", ""),
        component("bank", "  description: takes each payment\n"),
    ]
    .join("---\n");
    forge.write("team/more", "c.yaml", &file);
    register(&client.catalog, &url("team/more", "c.yaml")).await;
    let found = client.get("/search?q=Payment").await;
    assert_eq!(found.status, 200, "{}", found.text);
    let place = |name: &str| {
        let title = format!(">{name}</a>");
        found
            .text
            .find(&title)
            .unwrap_or_else(|| panic!("{name}: {}", found.text))
    };
    let order = ["payment", "payment-gateway", "old-payment", "bank"].map(place);
    assert!(order.is_sorted(), "{order:?}");
    for wrong in ["paymemt", "paymnt", "payyment", "apyment", "payment-gatewya"] {
        let similar = client.get(&format!("/search?q={wrong}")).await.text;
        assert!(
            similar.contains("This is similar") && similar.contains(">payment-gateway</a>"),
            "{wrong}: {similar}"
        );
    }
    for nothing in ["pxymxnt", "zz", "%25", "_", "%00"] {
        let text = client.get(&format!("/search?q={nothing}")).await;
        assert_eq!(text.status, 200, "{nothing}");
        assert!(!text.text.contains(">payment</a>"), "{nothing}: {}", text.text);
    }
    assert!(client.get("/search").await.text.contains("Type a name"));
    // What changes is found at once.
    forge.write("team/more", "c.yaml", &component("invoices", ""));
    let repository = MemoryForge::repository("team/more");
    client.catalog.refresh_repository(&repository).await.unwrap();
    assert!(
        client
            .get("/search?query=invoices")
            .await
            .text
            .contains(">invoices</a>")
    );
    assert!(!client.get("/search?q=payment").await.text.contains(">payment</a>"));
    // What other features find stands below, is in the palette, and is answered to programs.
    let notes = client.get("/search?q=notes").await.text;
    assert!(
        notes.contains("Note &#60;1&#62; of") && notes.contains("Said &#38; done"),
        "{notes}"
    );
    assert!(
        notes.contains("and 5 more") && !notes.contains("Nothing in the catalog"),
        "{notes}"
    );
    let palette = client.get("/search/palette?q=note").await.text;
    assert!(
        palette.contains("href=\"/notes/2\"") && !palette.contains("<html"),
        "{palette}"
    );
    let palette = client.get("/search/palette?q=invoices").await.text;
    assert!(
        palette.contains("href=\"/catalog/default/component/invoices\""),
        "{palette}"
    );
    let actions = client.get("/search/palette").await.text;
    for expected in [
        "href=\"/create\"",
        "href=\"/catalog/register\"",
        "data-post=\"theme=dark\"",
    ] {
        assert!(actions.contains(expected), "{expected}: {actions}");
    }
    assert!(
        client
            .get("/search/palette?q=zzzz")
            .await
            .text
            .contains("Nothing is called so")
    );
    let answer = client.get("/api/search/query?term=invoices").await.json();
    assert_eq!(answer["numberOfResults"], 1, "{answer}");
    assert_eq!(
        answer["results"][0]["document"]["location"],
        "/catalog/default/component/invoices"
    );
    assert_eq!(answer["results"][0]["type"], "software-catalog");
    let answer = client
        .get("/api/search/query?term=note&types[]=notes&pageLimit=1&pageCursor=p1")
        .await
        .json();
    assert_eq!(answer["results"][0]["document"]["location"], "/notes/2", "{answer}");
    assert_eq!(
        (&answer["nextPageCursor"], &answer["previousPageCursor"]),
        (&serde_json::Value::Null, &"p0".into())
    );
    for (query, count) in [
        ("filters[kind]=component", 1),
        ("filters[kind]=api", 0),
        ("types[]=notes", 0),
    ] {
        let answer = client
            .get(&format!("/api/search/query?term=invoices&{query}"))
            .await
            .json();
        assert_eq!(answer["numberOfResults"], count, "{query}: {answer}");
    }
    let hostile = client.get("/search?q=%22%3E%3Cscript%3E").await.text;
    assert!(!hostile.contains("\"><script>"), "{hostile}");
}
