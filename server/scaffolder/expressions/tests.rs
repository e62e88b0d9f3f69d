//! Rules of rendering, and limits under attack.

use serde_json::json;

use super::*;

fn context() -> Value {
    json!({"parameters": {"name": "demo", "config": {"a": [1]}, "none": null}, "steps": {"a-b": {"output": {"x": 2}}}})
}

#[test]
fn a_single_expression_keeps_its_type_and_undefined_removes_the_key() {
    let value = json!({
        "object": "${{ parameters.config }}",
        "text": "x-${{ parameters.name }}",
        "gone": "${{ parameters.missing }}",
        "null": "${{ parameters.none }}",
        "list": ["${{ parameters.missing }}", "${{ steps['a-b'].output.x }}"],
        "${{ parameters.name }}": true,
        "plain": "{{ not.ours }}",
        "commented": "{# why #}${{ 1 + 1 }}",
    });
    let rendered = render_value(&value, &context(), &Options::default());
    let expected = json!({
        "object": {"a": [1]},
        "text": "x-demo",
        "null": null,
        "list": [null, 2],
        "${{ parameters.name }}": true,
        "plain": "{{ not.ours }}",
        "commented": 2,
    });
    assert_eq!(rendered.ok().flatten(), Some(expected));
}

#[test]
fn failures_stay_as_text_with_a_warning_unless_strict() {
    let value = json!({"a": {"b/c": "${{ 1 | nosuch }}"}, "d": "${{ 1 }}"});
    let mut warnings = Vec::new();
    let rendered = render_value_with_warnings(&value, &context(), &Options::default(), &mut warnings);
    assert_eq!(
        rendered.ok().flatten(),
        Some(json!({"a": {"b/c": "${{ 1 | nosuch }}"}, "d": 1}))
    );
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].pointer, "/a/b~1c");
    assert_eq!(warnings[0].error.kind, ErrorKind::Unknown);
    let strict = Options {
        strict: true,
        ..Options::default()
    };
    let error = render_value(&value, &context(), &strict).err();
    assert_eq!(
        error.map(|error| error.to_string()).as_deref(),
        Some("line 1, column 9: there is no filter \"nosuch\"")
    );
}

#[test]
fn where_names_must_be_defined_a_slip_of_the_pen_is_found() {
    let options = Options {
        strict: true,
        defined: true,
        ..Options::default()
    };
    let value = |text: &str| render_value(&json!(text), &context(), &options);
    for (text, expected) in [
        (
            "${{ parameters.nmae }}",
            "line 1, column 15: parameters.nmae is not defined",
        ),
        (
            "a\n ${{ steps.publish.output.url }}",
            "line 2, column 11: steps.publish is not defined",
        ),
        ("${{ paramters.name }}", "line 1, column 5: paramters is not defined"),
        (
            "${{ steps['a-b'].output['y'] | upper }}",
            "steps.a-b.output.y is not defined",
        ),
        ("${{ parameters.config.a[7] }}", "parameters.config.a[7] is not defined"),
        ("{% if parameters.nmae %}x{% endif %}", "parameters.nmae is not defined"),
        ("${{ parameters.nmae or 1 }}", "parameters.nmae is not defined"),
        (
            "${{ (parameters.nmae ~ 'x') | default(1) }}",
            "parameters.nmae is not defined",
        ),
        (
            "{% for x in parameters.lits %}{% endfor %}",
            "parameters.lits is not defined",
        ),
    ] {
        let error = value(text).expect_err(text).to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    for (text, expected) in [
        ("${{ parameters.nmae | default('d') }}", json!("d")),
        ("${{ nothing.at.all | d('d') }}", json!("d")),
        ("${{ steps.publish.output is defined }}", json!(false)),
        ("${{ parameters.nmae is undefined }}", json!(true)),
        ("${{ parameters.none }}", json!(null)),
        (
            "{% for x in [1, 2] %}${{ loop.index }}${{ x }}{% endfor %}",
            json!("1122"),
        ),
        (
            "{% macro m(a) %}${{ a | default('-') }}{% endmacro %}${{ m() }}",
            json!("-"),
        ),
        ("{% set x = 1 %}${{ x }}", json!("1")),
        ("${{ range(2) | join }}", json!("01")),
    ] {
        assert_eq!(
            value(text).unwrap_or_else(|error| panic!("{text}: {error}")),
            Some(expected),
            "{text}"
        );
    }
    let files = FileOptions {
        defined: true,
        ..FileOptions::default()
    };
    assert!(render_template("${{ values.nmae }}", &json!({"values": {}}), &files).is_err());
}

#[test]
fn nothing_runs_grows_or_nests_without_end() {
    let nested = format!("${{{{ {}1{} }}}}", "(".repeat(20_000), ")".repeat(20_000));
    let lists = format!("${{{{ {}1{} }}}}", "[".repeat(5_000), "]".repeat(5_000));
    let tags = "{% if 1 %}".repeat(5_000);
    let negations = format!("${{{{ {}1 }}}}", "not ".repeat(50_000));
    let additions = format!("${{{{ {}1 }}}}", "1 + ".repeat(50_000));
    let members = format!("${{{{ a{} }}}}", ".b".repeat(50_000));
    let filters = format!("${{{{ a{} }}}}", " | upper".repeat(50_000));
    let powers = format!("${{{{ 1{} }}}}", " ** 1".repeat(50_000));
    let table = [
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "${{ range(1000000000) }}",
        "{% set a = 'aaaaaaaaaa' %}{% for i in range(60) %}{% set a = a ~ a %}{% endfor %}",
        "{% set a = [1] %}{% for i in range(60) %}{% set a = [a, a] %}{% endfor %}${{ a }}",
        "{% set a = [1] %}{% for i in range(60) %}{% set a = a.concat(a) %}{% endfor %}",
        "{% macro m() %}${{ m() }}{% endmacro %}${{ m() }}",
        "${{ 'a' | center(100000000000) }}",
        "${{ 'a\nb' | indent(100000000000) }}",
        "${{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' | replace(r/^(a|a)*\\1$/, 'x') }}",
        "${{ [1] | batch(100000000000, 1) }}",
        "${{ [1] | slice(100000000000, 1) }}",
        &negations,
        &additions,
        &members,
        &filters,
        &powers,
        &nested,
        &lists,
        &tags,
    ];
    for template in table {
        let shown = &template[..template.len().min(80)];
        let error = render_template(template, &json!({}), &FileOptions::default()).err();
        assert_eq!(error.map(|error| error.kind), Some(ErrorKind::Limit), "{shown}");
        let tolerant = render_value(&json!(template), &json!({}), &Options::default());
        assert!(tolerant.is_err(), "{shown}");
    }
    for template in [
        "{% set a = [] %}{% for i in range(40000) %}{% set a = [a] %}{% endfor %}ok",
        "{% set a = {} %}{% for i in range(40000) %}{% set a = {a: a} %}{% endfor %}ok",
        "{% set a = [1] %}{% for i in range(40000) %}{% set a = a | batch(1) %}{% endfor %}ok",
    ] {
        let rendered = render_template(template, &json!({}), &FileOptions::default());
        assert_eq!(rendered.ok().as_deref(), Some("ok"), "{template}");
    }
    let long = format!("${{{{ {}'' }}}}", "'a' ~ ".repeat(300));
    assert_eq!(
        render_template(&long, &json!({}), &FileOptions::default()).ok(),
        Some("a".repeat(300))
    );
    let fits = "{% macro f(n) %}{% if n > 0 %}${{ f(n - 1) }}{% endif %}{% endmacro %}${{ f(20) }}ok";
    assert_eq!(
        render_template(fits, &json!({}), &FileOptions::default())
            .ok()
            .as_deref(),
        Some("ok")
    );
}

#[test]
fn output_has_a_limit() {
    let options = FileOptions {
        limits: Limits {
            output: 100,
            ..Limits::default()
        },
        ..FileOptions::default()
    };
    let error = render_template("{% for i in range(20) %}0123456789{% endfor %}", &json!({}), &options).err();
    assert!(error.is_some_and(|error| error.kind == ErrorKind::Limit && error.message.contains("100")));
}

#[test]
fn status_functions_exist_in_steps_only() {
    let options = Options {
        strict: true,
        failed: Some(true),
        ..Options::default()
    };
    let rendered = render_value(&json!("${{ always() and failure() }}"), &json!({}), &options);
    assert_eq!(rendered.ok().flatten(), Some(json!(true)));
    assert!(render_template("${{ always() }}", &json!({}), &FileOptions::default()).is_err());
    for (text, expected) in [
        ("${{ always() }}", true),
        ("${{ failure() and parameters.x }}", true),
        ("${{ not failure() }}", true),
        ("${{ parameters.always }}", false),
        ("always()", false),
        ("${{ always( }}", false),
    ] {
        assert_eq!(calls_status_function(text), expected, "{text}");
    }
}

#[test]
fn the_scaffolders_own_filters() {
    let options = Options {
        strict: true,
        integrations: vec![
            ("github.com".to_owned(), "github".to_owned()),
            ("cnoe.localtest.me:8443".to_owned(), "gitea".to_owned()),
        ],
        ..Options::default()
    };
    let table = [
        (
            "${{ 'Component:ns/X' | parseEntityRef }}",
            json!({"kind": "Component", "namespace": "ns", "name": "X"}),
        ),
        (
            "${{ 'x' | parseEntityRef({defaultKind: 'group', defaultNamespace: 'n'}) }}",
            json!({"kind": "group", "namespace": "n", "name": "x"}),
        ),
        ("${{ 'group:x' | parseEntityRef | pick('name') }}", json!("x")),
        ("${{ parameters | pick('config.a[0]') }}", json!(1)),
        (
            "${{ 'github.com?owner=acme&repo=site' | parseRepoUrl }}",
            json!({"host": "github.com", "owner": "acme", "repo": "site"}),
        ),
        (
            "${{ 'cnoe.localtest.me:8443/gitea?repo=x' | parseRepoUrl }}",
            json!({"host": "cnoe.localtest.me:8443", "repo": "x"}),
        ),
        (
            "${{ 'github.com?owner=acme&repo=site' | projectSlug }}",
            json!("acme/site"),
        ),
    ];
    for (text, expected) in table {
        let rendered = render_value(&json!(text), &context(), &options);
        assert_eq!(rendered.as_ref().ok(), Some(&Some(expected)), "{text}: {rendered:?}");
    }
    for text in [
        "${{ 'x' | parseEntityRef }}",
        "${{ 'github.com?repo=site' | parseRepoUrl }}",
        "${{ 'elsewhere.org?owner=a&repo=b' | parseRepoUrl }}",
    ] {
        assert!(render_value(&json!(text), &context(), &options).is_err(), "{text}");
    }
}

#[test]
fn truth_of_a_steps_condition() {
    for falsy in [json!(false), json!(null), json!(""), json!(0), json!([])] {
        assert!(!is_truthy(&falsy), "{falsy}");
    }
    for truthy in [json!(true), json!("false"), json!(1), json!([0]), json!({})] {
        assert!(is_truthy(&truthy), "{truthy}");
    }
}
