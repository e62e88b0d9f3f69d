use super::*;

/// Paths with their guards, one a line's word.
fn told(text: &str) -> String {
    let analysis = analyse(text).expect("it parses");
    let references = analysis.references.iter().map(|reference| {
        let guard = match reference.guard {
            Guard::None => "",
            Guard::Asked => "?",
            Guard::Branch => "/",
            Guard::StandIn => "!",
        };
        let more = if reference.goes_on { ".*" } else { "" };
        format!("{}{more}{guard}", reference.path.join("."))
    });
    let unknown = analysis
        .unknown
        .iter()
        .map(|unknown| format!("{:?}:{}", unknown.kind, unknown.name));
    references.chain(unknown).collect::<Vec<_>>().join(" ")
}

#[test]
fn names_are_told_with_what_guards_them() {
    let table = [
        ("plain", ""),
        ("${{ parameters.name }}", "parameters.name"),
        ("${{ steps['a-b'].output.list[0].x }}", "steps.a-b.output.list.0.x"),
        ("${{ parameters[each.key] }}", "parameters.* each.key"),
        (
            "${{ parameters.a | default(parameters.b) }}",
            "parameters.a! parameters.b",
        ),
        (
            "${{ parameters.a is defined and parameters.a }}",
            "parameters.a! parameters.a/",
        ),
        (
            "${{ parameters.a if parameters.b else 'x' }}",
            "parameters.a/ parameters.b?",
        ),
        ("${{ parameters.a or 'x' }}", "parameters.a?"),
        ("{% if a %}${{ b }}{% else %}${{ c }}{% endif %}", "a? b/ c/"),
        ("{% for x in list %}${{ x.y }} ${{ loop.index }}{% endfor %}", "list"),
        ("{% set y = a %}${{ y }}", "a"),
        ("{% macro m(p) %}${{ p }} ${{ q }}{% endmacro %}${{ m(1) }}", "q"),
        ("${{ parameters.name.trim().length }}", "parameters.name"),
        ("${{ parameters.name.toTitle() }}", "parameters.name Method:toTitle"),
        ("${{ parameters.name | kebab }}", "parameters.name Filter:kebab"),
        ("${{ parameters.name is blank }}", "parameters.name Test:blank"),
        ("${{ always() and range(3) }}", "always? range/"),
        ("{% raw %}${{ x }}{% endraw %}", ""),
    ];
    for (text, expected) in table {
        assert_eq!(told(text), expected, "{text}");
    }
}

#[test]
fn offsets_count_characters() {
    let analysis = analyse("zwölf 🐦 ${{ x | no }}").expect("it parses");
    assert_eq!(analysis.references[0].at, 12);
    assert_eq!(analysis.unknown[0].at, 16);
    assert!(!analysis.is_value && analyse("${{ x }}").expect("it parses").is_value);
    assert!(analyse("${{ x").is_err());
}

#[test]
fn cookiecutter_has_delimiters_and_methods_of_its_own() {
    let options = FileOptions {
        cookiecutter: true,
        ..FileOptions::default()
    };
    let analysis = analyse_file("{{ cookiecutter.x.items() | jsonify }}", &options).expect("it parses");
    assert_eq!(analysis.references[0].path, ["cookiecutter", "x"]);
    assert!(analysis.unknown.is_empty());
}

#[test]
fn lists_of_names_are_complete() {
    for name in filters::NAMES {
        assert!(filters::is_known(name, true), "{name}");
    }
    let source = include_str!("../filters/mod.rs");
    let body = source
        .split("fn find(")
        .nth(1)
        .and_then(|rest| rest.split("_ => return None").next());
    for name in body
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.trim().strip_prefix('"'))
    {
        let name = name.split('"').next().unwrap_or_default();
        assert!(filters::NAMES.contains(&name), "{name}");
    }
    let source = include_str!("../predicates.rs");
    for name in source
        .lines()
        .filter_map(|line| line.trim().strip_prefix('"'))
        .filter(|line| line.contains("=>"))
    {
        let name = name.split('"').next().unwrap_or_default();
        assert!(name.is_empty() || predicates::NAMES.contains(&name), "{name}");
    }
}
