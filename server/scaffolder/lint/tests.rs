use std::collections::BTreeMap;
use std::path::Path;

use super::*;

/// Files that are told in a test.
#[derive(Default)]
struct Files(BTreeMap<&'static str, &'static str>);

impl Beside for Files {
    fn folder(&self, path: &str) -> Result<Option<Vec<TreeFile>>, String> {
        let prefix = format!("{path}/");
        let files = self.0.iter().filter_map(|(name, content)| {
            let name = name.strip_prefix(&prefix)?;
            Some(tree_file(name, content))
        });
        let files: Vec<_> = files.collect();
        Ok((!files.is_empty()).then_some(files))
    }

    fn file(&self, path: &str) -> Result<Option<TreeFile>, String> {
        Ok(self.0.get(path).map(|content| tree_file(path, content)))
    }
}

fn tree_file(path: &str, content: &str) -> TreeFile {
    TreeFile {
        path: path.to_owned(),
        executable: false,
        link: None,
        content: content.as_bytes().to_vec().into(),
    }
}

/// A template of these parameters, steps and whatever else stands in its `spec`.
fn template(spec: &str) -> String {
    format!(
        "apiVersion: scaffolder.backstage.io/v1beta3\nkind: Template\nmetadata:\n  name: demo\nspec:\n  type: service\n{spec}"
    )
}

/// The findings, a line each: `error 8:5 message (help)`.
fn told_of(text: &str, files: &[(&'static str, &'static str)]) -> Vec<String> {
    let files = Files(files.iter().copied().collect());
    let (_, mut findings) = lint(Path::new("template.yaml"), text, &files, &actions::shipped());
    findings.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    findings
        .into_iter()
        .map(|finding| {
            let severity = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            let file = match finding.file.display().to_string() {
                file if file == "template.yaml" => String::new(),
                file => format!("{file}:"),
            };
            let place = match (finding.line, finding.column) {
                (Some(line), Some(column)) => format!("{file}{line}:{column}"),
                _ => file,
            };
            let help = finding.help.map(|help| format!(" ({help})")).unwrap_or_default();
            format!("{severity} {place} {}{help}", finding.message)
        })
        .collect()
}

fn told(spec: &str) -> Vec<String> {
    told_of(&template(spec), &[])
}

#[test]
fn what_is_no_template_is_told_with_its_line() {
    let table = [
        ("a: [1", vec!["error 1:4 this is not YAML: unclosed bracket '['"]),
        (
            "- a\n",
            vec!["error 1:1 this is not a template: it is no mapping of keys"],
        ),
        ("", vec!["error  there is no template in this file"]),
        (
            "kind: Component\n",
            vec!["error 1:7 this is not a template: its kind is Component (write kind: Template)"],
        ),
        (
            "apiVersion: backstage.io/v1beta2\nkind: Template\n",
            vec![
                "error 1:13 templates of backstage.io/v1beta2 cannot be run (write apiVersion: scaffolder.backstage.io/v1beta3, \
                 and expressions as ${{ … }})",
            ],
        ),
        (
            "apiVersion: scaffolder.backstage.io/v1beta3\nkind: Template\nspec:\n  steps: []\n",
            vec![
                "error 1:1 metadata.name is missing",
                "error 3:1 spec.type is missing (say what it makes, for example type: service)",
                "error 4:3 the template has no steps",
            ],
        ),
    ];
    for (text, expected) in table {
        assert_eq!(told_of(text, &[]), expected, "{text}");
    }
    let two = format!(
        "kind: Location\n---\n{}",
        template("  steps:\n    - action: debug:log\n")
    );
    assert!(told_of(&two, &[]).is_empty());
}

#[test]
fn steps_are_checked() {
    let table = [
        (
            "    - id: a\n      action: fetch:tempalte\n",
            vec!["error 9:15 there is no action \"fetch:tempalte\" in this portal (did you mean \"fetch:template\"?)"],
        ),
        (
            "    - id: a\n      action: acme:shout\n",
            vec!["warning 9:15 there is no action \"acme:shout\" in this portal"],
        ),
        (
            "    - id: a\n      action: debug:log\n    - id: a\n      action: debug:log\n",
            vec!["error 10:11 two steps have the id \"a\" (give each its own)"],
        ),
        (
            "    - id: a\n      action: debug:log\n      inputs: {}\n",
            vec!["warning 10:7 a step has no key \"inputs\"; it is ignored (did you mean \"input\"?)"],
        ),
        (
            "    - action: debug:log\n      if: false\n",
            vec![
                "error 9:11 unreachable: the step never runs, its condition is always false (remove the step, or write its \
                 condition with an expression)",
            ],
        ),
        (
            "    - action: debug:log\n      if: ${{ 1 > 2 }}\n",
            vec![
                "error 9:11 unreachable: the step never runs, its condition is always false (remove the step, or write its \
                 condition with an expression)",
            ],
        ),
        (
            "    - action: debug:log\n      if: 'false'\n",
            vec![
                "warning 9:11 the condition is a text without an expression, and such a text is always true (write it as an \
                 expression: ${{ … }})",
            ],
        ),
        ("    - action: debug:log\n      if: ${{ failure() }}\n", vec![]),
        (
            "    - action: debug:log\n      each: 3\n",
            vec!["error 9:13 each is neither a list nor an object"],
        ),
        ("    - id: a\n", vec!["error 8:7 the step \"a\" names no action"]),
        ("    - text\n", vec!["error 8:7 step 1 is not an object"]),
    ];
    for (steps, expected) in table {
        assert_eq!(told(&format!("  steps:\n{steps}")), expected, "{steps}");
    }
    let control = told("  steps:\n    - action: debug:log\n      timeout: soon\n");
    assert!(control[0].starts_with("error 9:16 timeout of step this"), "{control:?}");
}

#[test]
fn inputs_are_checked_as_far_as_they_are_known() {
    let table = [
        (
            "action: fs:delete, input: {}",
            "error 8:27 fs:delete needs the input \"files\"",
        ),
        (
            "action: fs:delete, input: {files: x}",
            "error 8:42 the input \"files\" of fs:delete must be a list, and this is a text",
        ),
        (
            "action: fs:delete, input: {files: [a], file: b}",
            "warning 8:47 fs:delete has no input \"file\"; it is ignored",
        ),
        (
            "action: debug:log, input: {message: [1]}",
            "error 8:44 the input \"message\" of debug:log must be a text, and this is a list",
        ),
        ("action: fs:delete, input: {files: '${{ user.ref }}'}", ""),
        ("action: fs:delete, input: '${{ user.ref }}'", ""),
        (
            "action: fs:delete, input: {files: 'a ${{ user.ref }}'}",
            "error 8:42 the input \"files\" of fs:delete must be a list, and this is a text",
        ),
        (
            "action: 'roadiehq:utils:jsonata', input: {data: {}, expression: $clone($)}",
            "error 8:72 the JSONata expression cannot be evaluated: the portal has no function $clone, which npm jsonata has; \
             write it otherwise",
        ),
    ];
    for (step, expected) in table {
        let told = told(&format!("  steps:\n    - {{{step}}}\n"));
        let told: Vec<&str> = told
            .iter()
            .map(|line| line.split(" (").next().unwrap_or_default())
            .collect();
        let expected: Vec<&str> = Some(expected).filter(|text| !text.is_empty()).into_iter().collect();
        assert_eq!(told, expected, "{step}");
    }
}

#[test]
fn every_example_of_an_action_is_right() {
    for action in actions::shipped().iter() {
        for example in action.examples() {
            let steps: String = example.example.lines().map(|line| format!("  {line}\n")).collect();
            let told = told(&steps);
            // Parameters, earlier steps and files are those of the template that the example is put into.
            let own = told.iter().filter(|line| {
                ![
                    "the parameter ",
                    "there is no step",
                    " beside the template",
                    "the secret ",
                ]
                .iter()
                .any(|known| line.contains(known))
            });
            assert_eq!(
                own.collect::<Vec<_>>(),
                Vec::<&String>::new(),
                "{}: {}",
                action.id(),
                example.example
            );
        }
    }
}

const PAGE: &str = "  parameters:
    - required: [name]
      properties:
        name: {type: string}
        config:
          type: object
          properties: {region: {type: string}}
        any: {type: object}
      dependencies:
        name: {properties: {more: {type: string}}}
  steps:
    - id: one
      action: publish:gitea
      input: {repoUrl: '${{ parameters.name }}${{ parameters.config.region }}${{ parameters.any.x }}${{ parameters.more }}'}
";

#[test]
fn names_are_checked() {
    let table = [
        (
            "${{ parameters.nmae }}",
            "error the parameter \"nmae\" is asked for on no page (did you mean \"name\"?)",
        ),
        (
            "${{ parameters.config.regoin }}",
            "error the parameter \"config.regoin\" is asked for on no page (did you mean \"region\"?)",
        ),
        (
            "${{ parameters.nmae | default('x') }}",
            "warning the parameter \"nmae\" is asked for on no page (did you mean \"name\"?)",
        ),
        (
            "${{ 'x' if parameters.nmae }}",
            "warning the parameter \"nmae\" is asked for on no page (did you mean \"name\"?)",
        ),
        ("${{ steps.one.output.remoteUrl }}", ""),
        ("${{ steps['one'].output.remoteUrl | replace('a', 'b') }}", ""),
        (
            "${{ steps.one.output.remoteURL }}",
            "error publish:gitea has no output \"remoteURL\" (did you mean \"remoteUrl\"?)",
        ),
        (
            "${{ steps.one.remoteUrl }}",
            "error steps.one has no \"remoteUrl\" (known here: output)",
        ),
        ("${{ steps.two.output }}", "error the step \"two\" refers to itself"),
        (
            "${{ steps.later.output }}",
            "error the step \"later\" comes later: it has no output yet",
        ),
        (
            "${{ steps.noe.output }}",
            "error there is no step \"noe\" (known here: one)",
        ),
        (
            "${{ secrets.token }}",
            "warning nothing in the form asks for the secret \"token\"",
        ),
        (
            "${{ user.name }}",
            "error user has no \"name\" (known here: entity, ref)",
        ),
        (
            "${{ each.value }}",
            "error each is not defined: the step has no each (add each: ${{ … }} to the step)",
        ),
        ("${{ name }}", "error name is not defined (write parameters.name)"),
        (
            "${{ paramters.name }}",
            "error paramters is not defined (did you mean \"parameters\"?)",
        ),
        ("${{ context.task.id }} ${{ environment.parameters.x }}", ""),
        ("${{ parameters.name | kebab }}", "error there is no filter \"kebab\""),
        (
            "${{ parameters.name | uper }}",
            "error there is no filter \"uper\" (did you mean \"upper\"?)",
        ),
        (
            "${{ parameters.name",
            "error the expression does not parse: \"${{\" is not closed by \"}}\"",
        ),
    ];
    for (text, expected) in table {
        let step = format!("    - id: two\n      action: debug:log\n      input: {{message: \"{text}\"}}\n");
        let later = "    - id: later\n      action: debug:log\n";
        let told = told(&format!("{PAGE}{step}{later}"));
        let told: Vec<String> = told
            .iter()
            .map(|line| line.replacen(" 22:", " ", 1))
            .map(|line| {
                let mut words = line.splitn(3, ' ');
                let (severity, _, rest) = (words.next(), words.next(), words.next());
                format!("{} {}", severity.unwrap_or_default(), rest.unwrap_or_default())
            })
            .collect();
        let expected: Vec<&str> = Some(expected).filter(|text| !text.is_empty()).into_iter().collect();
        assert_eq!(told, expected, "{text}");
    }
}

#[test]
fn expressions_are_pointed_at_where_they_stand() {
    let steps = "  steps:\n    - action: debug:log\n      input:\n        message: |\n          first\n          say ${{ nobody }}\n";
    assert_eq!(
        told(steps),
        ["error 12:19 nobody is not defined (known here: parameters, steps, user, context, environment, secrets)"]
    );
}

#[test]
fn a_guard_of_the_step_makes_a_warning_of_its_own_name_only() {
    let steps = "  steps:\n    - action: debug:log\n      if: ${{ parameters.a }}\n      input: {message: '${{ parameters.a }} ${{ parameters.b }}'}\n";
    let told = told(steps);
    let severities: Vec<_> = told
        .iter()
        .map(|line| line.split(' ').next().unwrap_or_default())
        .collect();
    assert_eq!(severities, ["warning", "warning", "error"], "{told:?}");
}

#[test]
fn the_form_is_checked() {
    let steps = "  steps:\n    - action: debug:log\n      input: {message: '${{ parameters | dump }}'}\n";
    let table = [
        (
            "parameters: x",
            vec!["error 7:15 a page of the form is a JSON Schema of an object, and this is none"],
        ),
        (
            "parameters: [{type: array}]",
            vec!["error 7:23 a page of the form describes an object, and this has another type (write type: object)"],
        ),
        (
            "parameters: {required: [a, c], properties: {a: {}, b: {}}}",
            vec!["error 7:30 \"c\" is required, and no page asks for it (known here: a, b)"],
        ),
        (
            "parameters: {properties: {a: {ui:field: OwnerPiker}}}",
            vec![
                "warning 7:43 the portal has no field \"OwnerPiker\"; the form shows what the type asks for (did you mean \
                 \"OwnerPicker\"?)",
            ],
        ),
        (
            "parameters: {properties: {a: {type: string, ui:field: EntityPicker, required: true}}}",
            vec![],
        ),
    ];
    for (page, expected) in table {
        assert_eq!(told(&format!("  {page}\n{steps}")), expected, "{page}");
    }
    for broken in [
        "{properties: {a: {type: strin}}}",
        "{properties: {a: {pattern: '['}}}",
        "{properties: []}",
    ] {
        let told = told(&format!("  parameters: {broken}\n{steps}"));
        assert!(told[0].contains("the form is broken"), "{told:?}");
    }
}

#[test]
fn unused_parameters_are_told_unless_the_form_itself_uses_them() {
    let spec = "  parameters:
    properties:
      used: {type: string}
      unused: {type: string}
      decides: {type: boolean}
      token: {type: string, ui:field: Secret}
      hint: {type: 'null'}
    dependencies:
      decides: {oneOf: [{properties: {decides: {const: true}, used: {}}}]}
  steps:
    - action: debug:log
      input: {message: '${{ parameters.used }} ${{ secrets.token }}'}
";
    assert_eq!(
        told(spec),
        [
            "warning 10:7 the parameter \"unused\" is used by no step (use it as ${{ parameters.unused }}, or do not ask for it)"
        ]
    );
}

const FETCH: &str = "  steps:
    - id: lay
      action: fetch:template
      input:
        url: ./skeleton
        copyWithoutTemplating: [raw/*]
        values: {name: x, deep: {a: 1}, kind: '${{ user.ref }}'}
";

#[test]
fn skeletons_are_checked_with_the_values_that_they_get() {
    let files = [
        (
            "skeleton/a.txt",
            "${{ values.name }} ${{ values.deep.a }} ${{ values.kind.x }}\n\n  ${{ values.nmae }} {% if values.no %}${{ values.no }}{% endif %}",
        ),
        ("skeleton/ci.yaml", "run: ${{ github.sha }}\n"),
        ("skeleton/broken", "x\n{% if values.name %}"),
        ("skeleton/raw/x", "${{ github.sha }}"),
        ("skeleton/${{ values.gone }}/x", ""),
        ("skeleton/p", "${{ parameters.name }}"),
        (
            "skeleton/fine",
            "{% for x in range(3) %}${{ loop.index }}{% endfor %}{% raw %}${{ x }}{% endraw %}",
        ),
    ];
    let told = told_of(&template(FETCH), &files);
    let raw = "(if it is meant for another program, put it between {% raw %} and {% endraw %}, or name the file in \
               copyWithoutTemplating)";
    assert_eq!(
        told,
        [
            "error skeleton/${{ values.gone }}/x: in the file's name: the step \"lay\" gives no value \"gone\": values.gone is \
             not defined (known here: name, deep, kind)"
                .to_owned(),
            "error skeleton/a.txt:3:7 the step \"lay\" gives no value \"nmae\": values.nmae is not defined (did you mean \
             \"name\"?)"
                .to_owned(),
            "warning skeleton/a.txt:3:28 the step \"lay\" gives no value \"no\": values.no is not defined (known here: name, \
             deep, kind)"
                .to_owned(),
            format!("error skeleton/broken:2:1 the expression does not parse: the tag is not closed: \"endif\" is missing {raw}"),
            format!("error skeleton/ci.yaml:1:10 github is not defined in a skeleton, only values is {raw}"),
            "error skeleton/p:1:5 parameters is not defined in a skeleton, only values is (give it to the step, values: {name: \
             ${{ parameters.name }}}, and write values.name)"
                .to_owned(),
        ]
    );
    assert_eq!(
        told_of(&template(FETCH), &[]),
        ["error 11:14 there is no folder with files \"./skeleton\" beside the template"]
    );
}

#[test]
fn values_that_are_all_parameters_are_known_and_choices_of_folders_are_tried() {
    let spec = "  parameters:
    properties:
      language: {enum: [go, rust]}
  steps:
    - id: lay
      action: fetch:template
      input:
        url: ./skeletons/${{ parameters.language }}
        values: ${{ parameters }}
";
    let files = [("skeletons/go/x", "${{ values.language }} ${{ values.other }}")];
    assert_eq!(
        told_of(&template(spec), &files),
        [
            "error skeletons/go/x:1:28 the step \"lay\" gives no value \"other\": values.other is not defined",
            "error 14:14 there is no folder with files \"./skeletons/rust\" beside the template",
        ]
    );
}

#[test]
fn our_golden_paths_are_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden-paths");
    let report = lint_files(&[folder]).expect("they are read");
    assert!(report.templates > 0);
    assert_eq!(report.findings, Vec::new(), "{report}");
}

#[test]
fn a_report_is_told_as_a_compiler_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("template.yaml");
    let text = template("  steps:\n    - action: debug:lgo\n    - action: acme:shout\n");
    std::fs::write(&path, text).expect("a file");
    let mut report = lint_files(&[path]).expect("it is read");
    let whole = folder.path().canonicalize().expect("a folder");
    let told = report.to_string().replace(&whole.display().to_string(), "DIR");
    assert_eq!(
        told,
        "error: there is no action \"debug:lgo\" in this portal\n  --> DIR/template.yaml:8:15\n  |\n8 |     - action: \
         debug:lgo\n  |               ^\n  = help: did you mean \"debug:log\"?\n\nwarning: there is no action \"acme:shout\" in this \
         portal\n  --> DIR/template.yaml:9:15\n  |\n9 |     - action: acme:shout\n  |               ^\n\n1 template: 1 error, 1 \
         warning\n"
    );
    report.be_strict();
    assert_eq!(report.count(Severity::Error), 2);
}
