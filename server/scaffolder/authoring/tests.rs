use std::path::Path;

use super::*;

/// A template with a skeleton, in a folder of its own.
fn folder(steps: &str) -> tempfile::TempDir {
    // Whoever comes second finds it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().expect("a folder");
    let template = format!(
        "apiVersion: scaffolder.backstage.io/v1beta3\nkind: Template\nmetadata: {{name: demo}}\nspec:\n  type: service\n  \
         parameters:\n    required: [name]\n    properties: {{name: {{type: string, maxLength: 5}}, more: {{enum: [../../shared/more]}}}}\n  steps:\n    - id: lay\n      \
         action: fetch:template\n      input:\n        url: ./skeleton\n        values: {{name: '${{{{ parameters.name }}}}'}}\n\
         {steps}  output:\n    text:\n      - title: ${{{{ parameters.name }}}} by ${{{{ user.ref }}}}\n"
    );
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        std::fs::write(path, text).expect("a file");
    };
    write("template.yaml", &template);
    write("skeleton/${{ values.name }}.txt", "Hello ${{ values.name }}\n");
    write("values.yaml", "name: demo\n");
    folder
}

async fn told(folder: &Path, out: Option<&Path>) -> String {
    let run = dry_run(folder, &folder.join("values.yaml"), out).await;
    run.expect("it runs").to_string()
}

#[tokio::test]
async fn a_dry_run_tells_steps_files_and_output() {
    let steps = "    - action: fetch:plain\n      input: {url: 'https://example.com/o/r/tree/main/x'}\n    - action: catalog:fetch\n      input: {entityRef: 'component:x'}\n    - action: publish:gitea\n      input: {repoUrl: 'forge.example.com?repo=${{ parameters.name }}'}\n";
    let folder = folder(steps);
    let out = folder.path().join("made");
    let told = told(folder.path(), Some(&out)).await;
    let not_read = "is not read: this dry run reaches nothing but the files beside the template";
    let expected = format!(
        "1. fetch:template (fetch:template): completed\n     Rendered 1 files\n2. fetch:plain (fetch:plain): skipped\n     \
         Skipping because https://example.com/o/r/tree/main/x {not_read}\n3. catalog:fetch (catalog:fetch): skipped\n     \
         Skipping because the entity component:x {not_read}\n4. publish:gitea (publish:gitea): skipped\n     Skipping because \
         publish:gitea does not support dry-run\n\n1 file\n  demo.txt  11 bytes\n\noutput\n  text:\n    - title: demo by \
         user:default/guest\n"
    );
    assert_eq!(told, expected);
    let made = std::fs::read_to_string(out.join("demo.txt"));
    assert_eq!(made.expect("it is written"), "Hello demo\n");
    let again = dry_run(folder.path(), &folder.path().join("values.yaml"), Some(&out)).await;
    assert!(again.is_err_and(|error| error.to_string().contains("is not empty")));
}

#[tokio::test]
async fn skeletons_that_templates_share_are_read() {
    let shared = "    - action: fetch:template\n      input: {url: ../../shared/skeleton}\n";
    let chosen = "    - action: fetch:template\n      input: {url: '${{ parameters.more }}'}\n";
    let folder = folder(&format!("{shared}{chosen}"));
    let inner = folder.path().join("templates/one");
    std::fs::create_dir_all(&inner).expect("folders");
    for name in ["template.yaml", "values.yaml", "skeleton"] {
        std::fs::rename(folder.path().join(name), inner.join(name)).expect("it is moved");
    }
    for (name, text) in [("skeleton/LICENSE", "free"), ("more/ci", "run"), ("other", "not read")] {
        let path = folder.path().join("shared").join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        std::fs::write(path, text).expect("a file");
    }
    std::fs::write(inner.join("values.yaml"), "name: demo\nmore: ../../shared/more\n").expect("a file");
    let told = told(&inner, None).await;
    let expected = "3 files\n  LICENSE   4 bytes\n  ci        3 bytes\n  demo.txt  11 bytes\n";
    assert!(told.contains(expected), "{told}");
}

#[tokio::test]
async fn a_dry_run_that_fails_tells_how_far_it_came() {
    let folder = folder("    - action: fs:delete\n      input: {files: ['../x']}\n    - action: debug:log\n");
    let out = folder.path().join("made");
    let run = dry_run(folder.path(), &folder.path().join("values.yaml"), Some(&out)).await;
    let run = run.expect("it runs");
    let told = run.to_string();
    assert!(!run.is_right());
    assert!(told.contains("1. fetch:template (fetch:template): completed"), "{told}");
    assert!(told.contains("2. fs:delete (fs:delete): failed"), "{told}");
    assert!(
        told.contains("error: the dry run failed: the path \"../x\" leaves the workspace"),
        "{told}"
    );
    assert!(!out.exists());
}

#[tokio::test]
async fn wrong_values_are_refused_at_their_field() {
    let folder = folder("");
    std::fs::write(folder.path().join("values.yaml"), "name: much too long\n").expect("a file");
    let told = told(folder.path(), None).await;
    assert!(told.starts_with("error: name: Enter at most 5 characters.\n"), "{told}");
    assert!(
        told.contains("values.yaml:1:1\n") && told.ends_with("the values: 1 error\n"),
        "{told}"
    );
}

#[tokio::test]
async fn cases_are_run_and_told() {
    let folder = folder("");
    let cases = "\
- name: greets
  values: {name: jo}
  expect:
    files:
      jo.txt: {equals: \"Hello jo\\n\"}
    output: {text: [{title: 'jo by user:default/guest'}]}
- name: is refused
  values: {name: much too long}
  expect: {fails: Enter at most 5}
- name: differs
  values: {name: jo}
  expect:
    files:
      jo.txt: {equals: \"Hello joe\\n\"}
";
    std::fs::write(folder.path().join("template.test.yaml"), cases).expect("a file");
    for path in ["", "template.yaml", "template.test.yaml"] {
        let suite = test(&[folder.path().join(path)]).await.expect("it runs");
        assert!(!suite.is_right());
        let told = suite.to_string();
        let (_, told) = told.split_once('\n').expect("a line");
        assert_eq!(
            told,
            "  ok    greets\n  ok    is refused\n  FAIL  differs\n        jo.txt has another content:\n        --- expected\n        \
             +++ made\n        @@ -1 +1 @@\n        -Hello joe\n        +Hello jo\n3 cases: 1 failed\n"
        );
    }
    std::fs::write(folder.path().join("template.test.yaml"), "- name: x\n  expcet: {}\n").expect("a file");
    let suite = test(&[folder.path().to_path_buf()]).await.expect("it runs");
    assert!(
        !suite.is_right() && suite.to_string().contains("a case has no \"expcet\""),
        "{suite}"
    );
    std::fs::remove_file(folder.path().join("template.test.yaml")).expect("it was there");
    assert!(test(&[folder.path().to_path_buf()]).await.is_err());
}

#[tokio::test]
async fn our_golden_paths_pass_their_tests() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden-paths");
    let suite = test(&[folder]).await.expect("it runs");
    assert!(suite.is_right(), "{suite}");
}
