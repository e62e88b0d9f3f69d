use super::Table;
use super::write::in_order;

fn table(name: &str) -> Table {
    Table {
        name: name.to_owned(),
        columns: vec!["id".to_owned()],
    }
}

#[test]
fn tables_stand_behind_those_they_refer_to() {
    let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    let tables = ["a", "b", "c", "d"].map(table).to_vec();
    for (references, expected) in [
        (vec![], "abcd"),
        (vec![pair("a", "c"), pair("c", "d")], "bdca"),
        // A circle is not endless.
        (vec![pair("a", "b"), pair("b", "a")], "cdab"),
    ] {
        let names: Vec<String> = in_order(tables.clone(), &references)
            .into_iter()
            .map(|it| it.name)
            .collect();
        assert_eq!(names.concat(), expected);
    }
}
